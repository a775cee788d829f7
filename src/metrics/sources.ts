import { statSync } from 'node:fs'
import { readLedger } from '../../compactor/ledger.ts'
import { sizeOfShelf } from '../dead-letters/shelf.ts'
import { newestSeq } from '../hot/newest-seq.ts'
import type { SqliteStore } from '../ingest/writer-queue.ts'
import type { QueryTier } from '../query/tier.ts'
import { sumCold } from '../store/catalog.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { sample } from './meters.ts'
import type { Sample } from './meters.ts'
import type { ProcessWatch } from './process.ts'
import type { Rate } from './rate.ts'

/** Metrics read at scrape time. The cost of a read must not grow with the number of events. */

export interface Source {
  /** Logged if the source fails. */
  name: string
  read(): Sample[] | Promise<Sample[]>
}

export interface SourceDeps {
  layout: Layout
  /** A read-only connection. */
  db: Sqlite
  eventStore: Pick<SqliteStore, 'waiting_events'>
  query: Pick<QueryTier, 'mirrored' | 'running' | 'waiting'>
  accepted: Rate
  process: ProcessWatch
  readFreeBytes: () => Promise<number>
  is_ready: () => boolean
  findings: () => number
}

export function createSources(deps: SourceDeps): Source[] {
  const { layout, db, eventStore, query, accepted } = deps
  const newest = newestSeq(db)

  return [
    {
      name: 'service',
      read: () => [
        sample('frostline_events_per_second', accepted.per_second(), {}),
        sample('frostline_write_queue_events', eventStore.waiting_events, {}),
        sample('frostline_queries_running', query.running, {}),
        sample('frostline_queries_waiting', query.waiting, {}),
        sample('frostline_ready', deps.is_ready() ? 1 : 0, {}),
        sample('frostline_damage_findings', deps.findings(), {}),
      ],
    },
    { name: 'process', read: () => deps.process.read() },
    {
      name: 'mirror',
      read() {
        const { mirrored } = query
        if (mirrored === null) return []
        const lag = Math.max(0, newest() - mirrored.through)
        return [
          sample('frostline_hot_events', mirrored.rows, {}),
          sample('frostline_mirror_lag_events', lag, {}),
          sample('frostline_mirror_lag_seconds', lag === 0 ? 0 : mirrored.age_ms / 1_000, {}),
        ]
      },
    },
    {
      name: 'catalog',
      read() {
        const { events, files, bytes } = sumCold(db)
        return [
          sample('frostline_cold_events', events, {}),
          sample('frostline_cold_files', files, {}),
          sample('frostline_cold_bytes', bytes, {}),
        ]
      },
    },
    {
      name: 'dead letters',
      read() {
        const { letters, bytes } = sizeOfShelf(db)
        return [
          sample('frostline_dead_letters', letters, {}),
          sample('frostline_dead_letters_bytes', bytes, {}),
        ]
      },
    },
    {
      name: 'WAL',
      read() {
        const bytes = statSync(`${layout.database}-wal`, { throwIfNoEntry: false })?.size ?? 0
        return [sample('frostline_wal_bytes', bytes, {})]
      },
    },
    {
      name: 'disk',
      read: async () => [sample('frostline_disk_free_bytes', await deps.readFreeBytes(), {})],
    },
    {
      name: 'compactions',
      read() {
        const { done, failed, rows, seconds, last_success_s } = readLedger(layout.compactions)
        return [
          sample('frostline_compaction_runs_total', done, { outcome: 'done' }),
          sample('frostline_compaction_runs_total', failed, { outcome: 'failed' }),
          sample('frostline_compaction_rows_total', rows, {}),
          sample('frostline_compaction_seconds_total', seconds, {}),
          ...(last_success_s === null
            ? []
            : [sample('frostline_compaction_last_success_timestamp_seconds', last_success_s, {})]),
        ]
      },
    },
  ]
}
