/**
 * How often each test does what it does again and again: in `npm test`, where a mistake that is made often has to show within minutes, and in
 * `npm run test:long`, where one that is made seldom has to show too. The tests are the same.
 */

/** Says which of the two lengths; set by tests/run.js. */
export const LENGTH_VARIABLE = 'FROSTLINE_TEST_LENGTH'

interface Count {
  short: number
  long: number
  unit: string
  /** What is counted. */
  what: string
  /** The environment variable that asks for another number. */
  variable?: string
}

const COUNTS = {
  acknowledged_deaths: {
    short: 2,
    long: 6,
    unit: 'kills',
    what: 'of a service between the commit and the reply to a request with an Idempotency-Key',
  },
  answers_between_commits: {
    short: 15,
    long: 200,
    unit: 'rounds',
    what: 'of posts, while questions are asked that must see each of them',
  },
  bench_events: {
    short: 300,
    long: 2_000,
    unit: 'events',
    what: 'that the benchmarks post to show that they work',
  },
  bench_imports: {
    short: 1,
    long: 2,
    unit: 'files',
    what: 'that those benchmarks import',
  },
  bench_pairs: {
    short: 1,
    long: 5,
    unit: 'pairs',
    what: 'of stores with and without cold ids, which that benchmark compares',
  },
  bench_soak_seconds: {
    short: 3,
    long: 6,
    unit: 'seconds',
    what: 'of the benchmark that runs on without end',
  },
  benchmarks: {
    short: 3,
    long: 12,
    unit: 'benchmarks',
    what: 'that are run at small sizes to show that they work',
  },
  bits_of_a_cold_file: {
    short: 6,
    long: 40,
    unit: 'bits',
    what: 'of one cold file, flipped one by one while the service answers from it',
  },
  bytes_of_a_slow_csv: {
    short: 600_000,
    long: 1_200_000,
    unit: 'bytes',
    what: 'of CSV in shapes that are slow to read, and twice as many: one record may have a million',
  },
  bytes_of_an_inflated_body: {
    short: 32 * 1024 * 1024,
    long: 64 * 1024 * 1024,
    unit: 'bytes',
    what: 'that a body may become, in tests of the memory that it costs',
  },
  clients_that_post_the_same: {
    short: 16,
    long: 64,
    unit: 'clients',
    what: 'that post the same ids at the same time, while they are hot and while they move to cold',
  },
  compactor_race_rounds: {
    short: 3,
    long: 100,
    unit: 'rounds',
    what: 'of two compactors that are started together',
  },
  commands_from_one_question_to_the_next: {
    short: 8,
    long: 1,
    unit: 'commands',
    what: 'of which one, on average, is followed by a question to the service; whatever a command itself reports is always compared',
  },
  costly_bodies: {
    short: 300,
    long: 5_000,
    unit: 'bodies',
    what: 'of repeated tokens, each judged in a bounded number of steps and of bytes',
  },
  costly_bodies_timed: {
    short: 0,
    long: 150,
    unit: 'bodies',
    what: 'of the same kind, whose CPU time is compared with that of a body 16 times as large',
  },
  csv_files_read_twice: {
    short: 15,
    long: 150,
    unit: 'files',
    what: 'of random rows, read by the fast and by the careful reader',
    variable: 'FROSTLINE_SEEDS',
  },
  csv_files_with_a_line_more: {
    short: 15,
    long: 100,
    unit: 'files',
    what: 'of random rows, read with and without an unreadable line among them',
    variable: 'FROSTLINE_SEEDS',
  },
  bytes_of_the_largest_body: {
    short: 4 * 1024 * 1024,
    long: 32 * 1024 * 1024,
    unit: 'bytes',
    what: 'that a service takes and no more, sent in four ways; 32 MiB is the default',
  },
  compactions_started_together: {
    short: 1,
    long: 4,
    unit: 'rounds',
    what: 'of two commands that compact the same rows',
  },
  damaged_places: {
    short: 20,
    long: 200,
    unit: 'places',
    what: 'at which a bit is flipped or the tail cut: of cold files, all of them at once',
  },
  damaged_places_one_by_one: {
    short: 20,
    long: 200,
    unit: 'places',
    what: 'more of cold files, of segments of ids and of the SQLite file, so many of each, with a look at the store after each',
  },
  damaged_places_told_by_command: {
    short: 1,
    long: 5,
    unit: 'places',
    what: 'of those: how many the command and a whole service are asked about too',
  },
  demo_days: {
    short: 8,
    long: 30,
    unit: 'days',
    what: 'of sample data in the demo that is run; 30 is the default',
  },
  differential_histories: {
    short: 12,
    long: 200,
    unit: 'seeds',
    what: 'of histories of posts, imports, compactions, restarts and questions against a plain model',
    variable: 'FROSTLINE_SEEDS',
  },
  events_counted_at_once: {
    short: 10,
    long: 120,
    unit: 'events',
    what: 'posted one by one around compactions, each counted by the next question',
  },
  events_of_the_largest_batch: {
    short: 10_000,
    long: 100_000,
    unit: 'events',
    what: 'that a service takes in one request and no more; 100,000 is the default',
  },
  events_of_a_large_body: {
    short: 100,
    long: 2_500,
    unit: 'events',
    what: 'of a body in each format that is judged in the thread; the fewer, the larger is each',
  },
  events_of_a_large_question: {
    short: 300,
    long: 1_800,
    unit: 'events',
    what: 'of 31 KB each, which a question would have to hold in 64 MB of memory',
  },
  events_of_a_slow_question: {
    short: 1_000,
    long: 20_000,
    unit: 'events',
    what: 'with long properties that a slow question searches again and again',
  },
  events_of_two_pages: {
    short: 265,
    long: 420,
    unit: 'events',
    what: 'of about 32 KB, of which a page holds 8 MB',
  },
  events_read_back_at_once: {
    short: 12,
    long: 50,
    unit: 'events',
    what: 'posted one by one around compactions, each read back at once',
  },
  events_read_while_rows_move: {
    short: 20,
    long: 30,
    unit: 'events',
    what: 'read in pages of two, while twice as many arrive and compactions and merges go on',
  },
  failpoint_pairs: {
    short: 0,
    long: 1,
    unit: 'failpoints',
    what: 'at which the recovery is killed too, for each failpoint; all of them with FROSTLINE_PAIRS=all',
  },
  failpoint_days_to_merge: {
    short: 1,
    long: 2,
    unit: 'days',
    what: 'with files to merge in the store whose jobs are killed; with two, a run that dies in the first leaves the next one all its steps',
  },
  failpoints_per_answers: {
    short: 100,
    long: 3,
    unit: 'failpoints',
    what: 'of which one is followed by the questions to a service; the rows themselves are read every time',
  },
  failpoints_per_recovery: {
    short: 8,
    long: 1,
    unit: 'failpoints',
    what: 'of which one is followed by a recovery that comes to its end; the next run begins with what is there without it',
  },
  failpoints_per_other_job: {
    short: 16,
    long: 1,
    unit: 'failpoints',
    what: 'of which one is followed by a recovery by the other job too, and that of an import by a compaction',
  },
  filters_of_any_bytes: {
    short: 1000,
    long: 3_000,
    unit: 'texts',
    what: 'that are filters or are refused',
  },
  filters_printed: {
    short: 500,
    long: 2_000,
    unit: 'filters',
    what: 'that are printed and read again',
  },
  from_one_damaged_byte_to_the_next: {
    short: 6,
    long: 1,
    unit: 'bytes',
    what: 'of a compressed body: before each so-manieth it is cut, and in each so-manieth a bit is flipped',
  },
  from_one_failing_call_to_the_next: {
    short: 8,
    long: 1,
    unit: 'calls of the disk',
    what: 'by a compaction or an import: each so-manieth fails',
  },
  from_one_power_cut_to_the_next: {
    short: 18,
    long: 1,
    unit: 'moments',
    what: 'at which the power fails in a compaction, a merge or an import: from each so-manieth a service goes on',
  },
  fillings_of_a_disk: {
    short: 1,
    long: 3,
    unit: 'times',
    what: 'to the last byte, by the events that a service takes',
  },
  fuzz_requests: {
    short: 2_000,
    long: 20_000,
    unit: 'requests',
    what: 'in all formats and encodings, sound and with bytes changed',
    variable: 'FROSTLINE_FUZZ_REQUESTS',
  },
  group_sequences: {
    short: 12,
    long: 200,
    unit: 'sequences',
    what: 'of groups of requests, each against one request after the other',
  },
  groups_of_days: {
    short: 1,
    long: 2,
    unit: 'groups',
    what: 'of days, as large as they may be, that a job writes together; there is one day more',
  },
  half_open_connections: {
    short: 200,
    long: 1_000,
    unit: 'connections',
    what: 'of which nothing more comes, beside a client that is served',
  },
  hostile_filters: {
    short: 40,
    long: 150,
    unit: 'filters',
    what: 'of any text, asked of hot and of cold events',
  },
  hot_id_sequences: {
    short: 60,
    long: 300,
    unit: 'sequences',
    what: 'of commits, rollbacks and deletions, after each of which the ids in memory are compared with the rows',
  },
  ids_looked_up: {
    short: 20_000,
    long: 2_000_000,
    unit: 'ids',
    what: 'at the most that are asked for in one segment, of those that it has and of others',
  },
  ids_merged_at_a_time: {
    short: 40_000,
    long: 4_000_000,
    unit: 'ids',
    what: 'that are in memory at once while segments become one; the test merges some more',
  },
  ids_posted_by_all: {
    short: 300,
    long: 1_000,
    unit: 'ids',
    what: 'that each of these clients posts in one batch',
  },
  import_race_rounds: {
    short: 3,
    long: 100,
    unit: 'rounds',
    what: 'of an import against posts of the same ids from another process',
  },
  imports_beside_posts: {
    short: 1,
    long: 3,
    unit: 'imports',
    what: 'of a file whose ids are posted at the same time',
  },
  kills_while_an_index_is_made: {
    short: 3,
    long: 5,
    unit: 'kills',
    what: 'of the repair of the index of cold ids, each at another step',
  },
  killed_day_rows: {
    short: 20_000,
    long: 1_000_000,
    unit: 'rows',
    what: 'of the day in which the compactor is killed at each of its steps',
  },
  kills_within_a_step: {
    short: 1,
    long: 2,
    unit: 'kills',
    what: 'at random moments while that compactor copies rows, and while it collects them',
  },
  letter_race_rounds: {
    short: 2,
    long: 20,
    unit: 'rounds',
    what: 'of one dead letter that is replayed by command and over HTTP at the same moment',
  },
  megabytes_of_wide_rows: {
    short: 80,
    long: 200,
    unit: 'megabytes',
    what: 'of rows of a day or of two, written with little more memory',
  },
  lines_of_an_endless_body: {
    short: 2_000_000,
    long: 20_000_000,
    unit: 'lines',
    what: 'that are no events: from seconds to minutes of work for the thread that judges them',
  },
  model_commands: {
    short: 200,
    long: 2_000,
    unit: 'commands',
    what: 'against the store and a plain Map, 20 kills and 10 damaged files in 2,000 at least',
    variable: 'FROSTLINE_MODEL_COMMANDS',
  },
  no_dip_changes: {
    short: 16,
    long: 300,
    unit: 'compactions and merges',
    what: 'under readers that ask without pause, so many answers at least',
  },
  no_dip_readers: {
    short: 4,
    long: 8,
    unit: 'readers',
    what: 'that ask all the time, each of them one of four questions',
  },
  odd_files: {
    short: 9,
    long: 20,
    unit: 'files',
    what: 'with odd characters in their names, each imported',
  },
  odd_folders: {
    short: 2,
    long: 7,
    unit: 'folders',
    what: 'with odd characters in their names, below each of which a store does all it can',
  },
  page_walks: {
    short: 4,
    long: 60,
    unit: 'seeds',
    what: 'of pages that are read back while posts, imports and compactions go on, against a plain model',
    variable: 'FROSTLINE_SEEDS',
  },
  rounds_under_verify: {
    short: 2,
    long: 12,
    unit: 'rounds',
    what: 'of a post and a compaction while the store is verified again and again',
  },
  rows_to_spill: {
    short: 500_000,
    long: 800_000,
    unit: 'rows',
    what: 'that each of two DuckDBs sorts with memory for fewer',
  },
  rows_of_32_kb: {
    short: 1_100,
    long: 2_500,
    unit: 'rows',
    what: 'of which a thousand make a text of 32 MB for the mirror',
  },
  shelf_histories: {
    short: 50,
    long: 200,
    unit: 'histories',
    what: 'of dead letters that come, go and are taken away, within the limits of the shelf',
  },
  steps_of_a_history: {
    short: 5,
    long: 8,
    unit: 'steps',
    what: 'of each of these histories, each followed by questions',
  },
  torture_batches_per_kill: {
    short: 8,
    long: 1_000,
    unit: 'batches',
    what: 'that the clients post between two of those kills at the most',
  },
  recoveries_after_a_failed_commit: {
    short: 1,
    long: 2,
    unit: 'recoveries',
    what: 'of the log of SQLite after a commit that failed, by its sync or by a write, and others that went well',
  },
  repairs_of_an_index: {
    short: 1,
    long: 2,
    unit: 'repairs',
    what: 'of each damage to the index of cold ids: by a service that starts, and by a compaction',
  },
  questions_asked_of_the_reference: {
    short: 40,
    long: 500,
    unit: 'seeds',
    what: 'of each question, over hot and cold days and changes of the clock, against a reference in plain TypeScript',
    variable: 'FROSTLINE_SEEDS',
  },
  torture_kills: {
    short: 25,
    long: 200,
    unit: 'kills',
    what: 'of services, compactors and importers while clients post; `npm run torture` has counts of its own',
  },
  values_judged_twice: {
    short: 3_000,
    long: 100_000,
    unit: 'values',
    what: 'valid, nearly valid and hostile, judged without the schema and by it',
  },
} satisfies Record<string, Count>

const length = process.env[LENGTH_VARIABLE] === 'long' ? 'long' : 'short'

export function howMany(name: keyof typeof COUNTS): number {
  const count: Count = COUNTS[name]
  const asked = count.variable === undefined ? undefined : process.env[count.variable]
  return asked === undefined ? count[length] : Number(asked)
}
