import { DEMO_DAYS } from '../demo/run.ts'
import { QUESTIONS } from '../questions/table.ts'
import { ACCESS_COMMANDS } from './access-commands.ts'
import { ASK_OPTIONS } from './ask-options.ts'
import { command, JSON_FLAG as json } from './command.ts'
import type { Command } from './command.ts'
import { FORMATS } from '../import/format.ts'
import { choice, COLUMN_MAP, DEMO_DAY_COUNT, SECONDS, settingKind, TEXT } from './kinds.ts'
import { LETTER_COMMANDS } from './letter-commands.ts'

/** The table of commands. Parsing, help, errors, the tests and the documents are made from it. */

const wait = {
  value: 'seconds',
  kind: SECONDS,
  meaning: 'How long to wait while another process writes cold files',
} as const

const SERVICE_COMMANDS: readonly Command[] = [
  command({
    name: 'serve',
    group: 'Service',
    summary: 'Run the service: receive events, answer queries, compact on a schedule',
    makes_store: true,
    options: {
      port: {
        value: 'port',
        kind: settingKind('PORT'),
        sets: 'PORT',
        meaning: 'Port to listen on, instead of the variable PORT; 0 takes a free one',
      },
      host: {
        value: 'address',
        kind: settingKind('HOST'),
        sets: 'HOST',
        meaning: 'Address to listen on, instead of the variable HOST',
      },
    },
    examples: [
      ['frostline serve', 'Listens on 127.0.0.1:8080 and keeps the events in ./data/store'],
      ['frostline serve --port 9000 --data-dir /var/lib/frostline', 'Uses another port and another store'],
    ],
    load: async () => (await import('./serve.ts')).serveCommand,
  }),
  command({
    name: 'demo',
    group: 'Service',
    summary: 'Load sample data into a store of its own, and serve it',
    makes_store: true,
    options: {
      days: {
        value: 'days',
        kind: DEMO_DAY_COUNT,
        meaning: 'How many days of sample data',
        default: String(DEMO_DAYS),
      },
      exit: { meaning: 'Exit after printing the answers' },
    },
    examples: [
      ['frostline demo', 'Prints answers about the sample data and serves it until Ctrl-C'],
      ['frostline demo --exit', 'Prints the answers and exits'],
    ],
    environment: (env) => ({
      ...env,
      DATA_DIR: env['DATA_DIR'] || './data/demo',
      // The demo prints the warning of an open store itself; other log lines would stand between its answers.
      LOG_LEVEL: env['LOG_LEVEL'] || 'error',
      // A scheduled run is a process of its own. It reads the environment and would work on another store.
      COMPACT_CRON: 'off',
    }),
    load: async () => (await import('./demo.ts')).demoCommand,
  }),
]

const DATA_COMMANDS: readonly Command[] = [
  command({
    name: 'import',
    group: 'Data',
    summary: 'Import CSV, NDJSON or vendor exports straight into cold files',
    makes_store: true,
    arguments: {
      file: { kind: TEXT, many: true, meaning: 'Also compressed with gzip; - for stdin' },
    },
    options: {
      format: {
        value: 'format',
        kind: choice(...FORMATS),
        meaning: 'csv, ndjson, posthog, mixpanel or amplitude; else as the name says, or csv',
      },
      map: {
        value: 'pairs',
        kind: COLUMN_MAP,
        meaning: 'Names of columns in the file: user=user_id,ts=occurred_at',
      },
      'extra-columns': {
        value: 'use',
        kind: choice('properties'),
        meaning: 'What becomes of other columns: properties of the event',
      },
      'time-format': {
        value: 'format',
        kind: choice('epoch_s', 'epoch_ms', 'epoch_us'),
        meaning: 'Times are numbers since 1970 in this unit: epoch_s, epoch_ms or epoch_us',
      },
      strict: { meaning: 'Import nothing if any row is invalid' },
      force: { meaning: 'Import the file even if it was imported before' },
      wait: { ...wait, default: '600' },
      json,
    },
    examples: [
      ['frostline import history.csv', 'Imports valid rows; writes the others to history.csv.rejected.csv'],
      [
        'frostline import export.csv.gz --map user=user_id --extra-columns properties',
        'Imports a compressed file with a column named user, and keeps further columns as properties',
      ],
      ['frostline import 2025-08-*.json.gz --format amplitude', 'Imports the files of an Amplitude export'],
      [
        'gunzip -c events.gz | frostline import - --format ndjson',
        'Imports one JSON event a line from stdin',
      ],
    ],
    load: async () => (await import('./import.ts')).importCommand,
  }),
  command({
    name: 'ask',
    group: 'Data',
    summary: 'Answer a question about the events: dau, trend, funnel, …',
    arguments: {
      question: {
        kind: choice(...(QUESTIONS.map(({ name }) => name) as [string, ...string[]])),
        meaning: 'dau, trend, funnel, …: a name of GET /stats/<name>',
      },
    },
    options: {
      ...ASK_OPTIONS,
      explain: { meaning: 'Print how the question would be answered' },
      json,
    },
    examples: [
      ['frostline ask dau --from 2025-08-01 --to 2025-08-31', 'Prints the users of each day of August'],
      [
        'frostline ask funnel --from 2025-08-01 --to 2025-08-31 --step event_type:a --step event_type:b',
        'Prints how many users who did a did b within a week',
      ],
    ],
    load: async () => (await import('./ask.ts')).askCommand,
  }),
  command({
    name: 'compact',
    group: 'Data',
    summary: 'Move closed days to cold files once, then exit',
    options: { wait: { ...wait, default: '60' }, json },
    examples: [
      ['frostline compact', 'Moves each closed day out of SQLite into a Parquet file'],
      ['frostline compact --wait 0', 'Does nothing if an import or another compaction is running'],
    ],
    load: async () => (await import('./compact.ts')).compactCommand,
  }),
  command({
    name: 'tiers',
    group: 'Data',
    summary: 'Show how many events are hot and how many are cold, by day',
    options: { json },
    examples: [
      ['frostline tiers', 'Prints tables of events, files and sizes'],
      ['frostline tiers --json', 'Prints the same object as GET /tiers'],
    ],
    load: async () => (await import('./tiers.ts')).tiersCommand,
  }),
  command({
    name: 'verify',
    group: 'Data',
    summary: 'Check the store: structure, files, and with --deep every row',
    options: {
      deep: { meaning: 'Also check every byte and row, and that no event id is stored twice' },
      json,
    },
    examples: [
      ['frostline verify', 'Checks the database and the sizes of the files; exits 1 if anything is damaged'],
      ['frostline verify --deep', 'Reads all data; suitable after a disk failure, or once a week'],
    ],
    load: async () => (await import('./verify.ts')).verifyCommand,
  }),
]

export const COMMANDS: readonly Command[] = [
  ...SERVICE_COMMANDS,
  ...DATA_COMMANDS,
  ...ACCESS_COMMANDS,
  ...LETTER_COMMANDS,
]
