/** Every metric. A test compares this table with the documentation. */

interface MetricKind {
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  /**
   * Values come from fixed lists, never from a path, a key or other client input, so the number of
   * series is bounded.
   */
  labels: readonly string[]
  /** Upper bounds; histograms only. */
  buckets?: readonly number[]
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const METRICS = {
  frostline_http_requests_total: {
    type: 'counter',
    help: 'Requests answered. route is the template, or /* if none matched; unsupported methods are OTHER',
    labels: ['method', 'route', 'status'],
  },
  frostline_http_request_duration_seconds: {
    type: 'histogram',
    help: 'Time from the request headers until the reply is ready to be sent',
    labels: ['method', 'route'],
    buckets: SECONDS,
  },
  frostline_events_total: {
    type: 'counter',
    help: 'Posted events by outcome: accepted, duplicate or rejected. Replies replayed for an Idempotency-Key are not counted',
    labels: ['outcome'],
  },
  frostline_events_per_second: {
    type: 'gauge',
    help: 'Accepted events per second, mean of the last 10 s. For other periods use rate(frostline_events_total{outcome="accepted"}[1m])',
    labels: [],
  },
  frostline_write_queue_events: {
    type: 'gauge',
    help: 'Events queued for the writer or being written; at WRITE_QUEUE_EVENTS_MAX new batches get queue_full',
    labels: [],
  },
  frostline_commit_duration_seconds: {
    type: 'histogram',
    help: 'Time of a group commit, including the lookup of cold ids and the fsync',
    labels: [],
    buckets: [0.0005, ...SECONDS],
  },
  frostline_commit_events: {
    type: 'histogram',
    help: 'Valid events per commit',
    labels: [],
    buckets: [1, 10, 100, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000],
  },
  frostline_write_failures_total: {
    type: 'counter',
    help: 'Requests that could not be committed; see the log',
    labels: [],
  },
  frostline_hot_events: {
    type: 'gauge',
    help: 'Visible hot rows in the mirror',
    labels: [],
  },
  frostline_mirror_lag_events: {
    type: 'gauge',
    help: 'Committed rows not yet in the mirror. A query first waits for the rows committed before it',
    labels: [],
  },
  frostline_mirror_lag_seconds: {
    type: 'gauge',
    help: 'Time since the mirror last held every committed row; 0 if it does now',
    labels: [],
  },
  frostline_cold_events: { type: 'gauge', help: 'Events in cold files', labels: [] },
  frostline_cold_files: { type: 'gauge', help: 'Cold files in the catalog', labels: [] },
  frostline_cold_bytes: { type: 'gauge', help: 'Size of the cold files', labels: [] },
  frostline_wal_bytes: { type: 'gauge', help: 'Size of the SQLite WAL file', labels: [] },
  frostline_disk_free_bytes: {
    type: 'gauge',
    help: 'Free space on the disk of DATA_DIR; below DISK_FREE_MIN_MB events are rejected',
    labels: [],
  },
  frostline_dead_letters: {
    type: 'gauge',
    help: 'Dead letters kept',
    labels: [],
  },
  frostline_dead_letters_bytes: {
    type: 'gauge',
    help: 'Size of the dead letters',
    labels: [],
  },
  frostline_compaction_runs_total: {
    type: 'counter',
    help: 'Finished compactions of this store, in any process: done or failed. A killed run counts as failed when the next one starts',
    labels: ['outcome'],
  },
  frostline_compaction_rows_total: {
    type: 'counter',
    help: 'Rows moved to cold by compactions that are done',
    labels: [],
  },
  frostline_compaction_seconds_total: {
    type: 'counter',
    help: 'Total time of compactions, done or failed',
    labels: [],
  },
  frostline_compaction_last_success_timestamp_seconds: {
    type: 'gauge',
    help: 'Time of the last compaction that is done, even if it moved nothing; seconds since 1970',
    labels: [],
  },
  frostline_query_duration_seconds: {
    type: 'histogram',
    help: 'Time of a query, including its wait in the queue. Kinds: dau, top_events, retention, events, tiers. Outcomes: answered, refused, timeout, left (the client disconnected), failed',
    labels: ['kind', 'outcome'],
    buckets: SECONDS,
  },
  frostline_queries_running: { type: 'gauge', help: 'Queries running', labels: [] },
  frostline_queries_waiting: {
    type: 'gauge',
    help: 'Queries waiting in the queue; at QUERIES_WAITING_MAX the next one gets query_line_full',
    labels: [],
  },
  frostline_ready: { type: 'gauge', help: '1 if GET /readyz answers 200, otherwise 0', labels: [] },
  frostline_damage_findings: {
    type: 'gauge',
    help: 'Damage found by the last check of the store, at most 100 findings',
    labels: [],
  },
  frostline_event_loop_lag_p99_seconds: {
    type: 'gauge',
    help: 'Event loop delay of the HTTP thread since the last scrape, 99th percentile',
    labels: [],
  },
  frostline_event_loop_lag_max_seconds: {
    type: 'gauge',
    help: 'Event loop delay of the HTTP thread since the last scrape, maximum',
    labels: [],
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    help: 'Resident memory of the service, without compactions and checks, which run in their own processes',
    labels: [],
  },
  nodejs_heap_size_used_bytes: {
    type: 'gauge',
    help: 'JavaScript heap used by the HTTP thread',
    labels: [],
  },
  nodejs_external_memory_bytes: {
    type: 'gauge',
    help: 'Memory of request bodies and other buffers of the HTTP thread',
    labels: [],
  },
  process_cpu_seconds_total: { type: 'counter', help: 'CPU time of all threads', labels: [] },
  process_start_time_seconds: {
    type: 'gauge',
    help: 'Start time of the process; seconds since 1970',
    labels: [],
  },
} as const satisfies Record<string, MetricKind>

export type MetricName = keyof typeof METRICS

/** Names of the metrics of one type. */
export type Named<T extends MetricKind['type']> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never
}[MetricName]

export type LabelsOf<N extends MetricName> = Readonly<
  Record<(typeof METRICS)[N]['labels'][number], string | number>
>
