/** Every metric, declared here and nowhere else. The README lists them; a test compares. */

interface MetricKind {
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  /** Their values come from short lists of ours: never from a path, a key or anything else that a client writes. */
  labels: readonly string[]
  /** Upper ends, of a histogram. */
  buckets?: readonly number[]
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const METRICS = {
  frostline_http_requests_total: {
    type: 'counter',
    help: 'Requests answered. The route is its template, /* where none matched; methods that no route takes are OTHER',
    labels: ['method', 'route', 'status'],
  },
  frostline_http_request_duration_seconds: {
    type: 'histogram',
    help: 'From the head of a request until its reply is ready to be sent',
    labels: ['method', 'route'],
    buckets: SECONDS,
  },
  frostline_events_total: {
    type: 'counter',
    help: 'Posted events as their replies told: accepted, duplicate or rejected. Replayed replies do not count again',
    labels: ['outcome'],
  },
  frostline_events_per_second: {
    type: 'gauge',
    help: 'Accepted events a second, over the last 10. Over other times: rate(frostline_events_total{outcome="accepted"}[1m])',
    labels: [],
  },
  frostline_write_queue_events: {
    type: 'gauge',
    help: 'Events waiting for the writer or being written; at WRITE_QUEUE_EVENTS_MAX posts are answered queue_full',
    labels: [],
  },
  frostline_commit_duration_seconds: {
    type: 'histogram',
    help: 'A commit of one or several requests, the search among cold ids and the fsync included',
    labels: [],
    buckets: [0.0005, ...SECONDS],
  },
  frostline_commit_events: {
    type: 'histogram',
    help: 'Valid events of a commit',
    labels: [],
    buckets: [1, 10, 100, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000],
  },
  frostline_write_failures_total: {
    type: 'counter',
    help: 'Requests that could not be committed; the log has the reasons',
    labels: [],
  },
  frostline_hot_events: {
    type: 'gauge',
    help: 'Visible hot rows, as far as they are mirrored',
    labels: [],
  },
  frostline_mirror_lag_events: {
    type: 'gauge',
    help: 'Committed rows that the mirror of the hot rows has not taken in yet. A question waits for those before it',
    labels: [],
  },
  frostline_mirror_lag_seconds: {
    type: 'gauge',
    help: 'How long ago the mirror had all that was committed; 0 if it has',
    labels: [],
  },
  frostline_cold_events: { type: 'gauge', help: 'Events in cold files', labels: [] },
  frostline_cold_files: { type: 'gauge', help: 'Cold files that the catalog lists', labels: [] },
  frostline_cold_bytes: { type: 'gauge', help: 'Bytes of these files', labels: [] },
  frostline_wal_bytes: { type: 'gauge', help: "Size of SQLite's write-ahead log", labels: [] },
  frostline_disk_free_bytes: {
    type: 'gauge',
    help: 'Free on the disk of DATA_DIR; below DISK_FREE_MIN_MB no events are taken',
    labels: [],
  },
  frostline_dead_letters: {
    type: 'gauge',
    help: 'Dead letters kept. Above 10,000 or 8 MiB, those that were taken out from between others count too',
    labels: [],
  },
  frostline_dead_letters_bytes: { type: 'gauge', help: 'Bytes of these letters', labels: [] },
  frostline_compaction_runs_total: {
    type: 'counter',
    help: 'Compactions of all processes on this store that ended: done or failed. One that was killed counts as failed when the next begins',
    labels: ['outcome'],
  },
  frostline_compaction_rows_total: {
    type: 'counter',
    help: 'Rows that these compactions moved to cold, if they were done',
    labels: [],
  },
  frostline_compaction_seconds_total: { type: 'counter', help: 'Time that they took', labels: [] },
  frostline_compaction_last_success_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last one was done, also if it found nothing to do; in seconds since 1970',
    labels: [],
  },
  frostline_query_duration_seconds: {
    type: 'histogram',
    help: 'A question, waiting in line included. Kinds: dau, top_events, retention, events, tiers. Outcomes: answered, refused, timeout, left (the client did), failed',
    labels: ['kind', 'outcome'],
    buckets: SECONDS,
  },
  frostline_queries_running: { type: 'gauge', help: 'Questions being answered', labels: [] },
  frostline_queries_waiting: {
    type: 'gauge',
    help: 'Questions waiting in line; at QUERIES_WAITING_MAX the next is answered query_line_full',
    labels: [],
  },
  frostline_ready: { type: 'gauge', help: '1 if GET /readyz answers 200, or else 0', labels: [] },
  frostline_damage_findings: {
    type: 'gauge',
    help: 'What the last check of the store found damaged, at most 100',
    labels: [],
  },
  frostline_event_loop_lag_p99_seconds: {
    type: 'gauge',
    help: 'How late the thread that answers HTTP came to its work since the last scrape: 99th percentile',
    labels: [],
  },
  frostline_event_loop_lag_max_seconds: { type: 'gauge', help: 'The same: the worst', labels: [] },
  process_resident_memory_bytes: {
    type: 'gauge',
    help: 'Memory of the service; compactions and checks have processes of their own',
    labels: [],
  },
  nodejs_heap_size_used_bytes: {
    type: 'gauge',
    help: 'Of it, JavaScript of the thread that answers HTTP',
    labels: [],
  },
  nodejs_external_memory_bytes: { type: 'gauge', help: 'Of it, bodies and other buffers', labels: [] },
  process_cpu_seconds_total: { type: 'counter', help: 'Processor time of all threads', labels: [] },
  process_start_time_seconds: { type: 'gauge', help: 'In seconds since 1970', labels: [] },
} as const satisfies Record<string, MetricKind>

export type MetricName = keyof typeof METRICS

/** Names of the metrics of one type. */
export type Named<T extends MetricKind['type']> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never
}[MetricName]

export type LabelsOf<N extends MetricName> = Readonly<
  Record<(typeof METRICS)[N]['labels'][number], string | number>
>
