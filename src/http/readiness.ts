import type { SqliteStore } from '../ingest/writer-queue.ts'
import { Problem } from '../problem/problem.ts'
import type { QueryTier } from '../query/tier.ts'
import type { DiskSpace } from '../store/space.ts'
import type { StoreWatch } from '../store/watch.ts'

/** Whether the service can do its work. Everything here was observed before; a probe does no I/O. */

/** Why nothing can be stored at present; null if events are accepted. */
export function refusalOf(space: Pick<DiskSpace, 'full'>, watch: Pick<StoreWatch, 'gone'>): Problem | null {
  if (watch.gone) {
    return new Problem('store_unavailable', 'The database file was deleted or replaced. Nothing was stored.')
  }
  return space.full ? new Problem('disk_full', 'Nothing was stored. Send the events again later.') : null
}

export interface ReadinessSources {
  draining: boolean
  eventStore: Pick<SqliteStore, 'ready' | 'repairing' | 'waiting_ms' | 'failed_ms'>
  query: Pick<QueryTier, 'ready'>
  space: Pick<DiskSpace, 'full'>
  watch: Pick<StoreWatch, 'gone' | 'locked_ms'>
  /** A writer that has not committed for longer is stuck. */
  stuck_ms: number
}

/** So long after a failed commit the service is ready again: only another request shows whether the next one succeeds. */
export const FAILED_COMMIT_MS = 10_000

/** Returns the reasons why the service is not ready; empty if it is. */
export function findObstacles(sources: ReadinessSources): string[] {
  const { draining, eventStore, query, space, watch, stuck_ms } = sources
  return [
    ...(draining ? ['the service is stopping'] : []),
    ...(eventStore.ready ? [] : ['the writer is not running']),
    ...(eventStore.repairing ? ['the index of cold ids is being rebuilt'] : []),
    ...(eventStore.waiting_ms > stuck_ms
      ? [`events have waited for the writer for more than ${stuck_ms} ms`]
      : []),
    ...(eventStore.failed_ms !== null && eventStore.failed_ms < FAILED_COMMIT_MS
      ? [`the last commit failed, less than ${FAILED_COMMIT_MS / 1_000} s ago`]
      : []),
    ...(watch.gone ? ['the database file was deleted or replaced'] : []),
    ...(watch.locked_ms > stuck_ms
      ? [`another process has held the write lock for more than ${stuck_ms} ms`]
      : []),
    ...(space.full ? ['the disk has too little free space for events'] : []),
    ...(query.ready ? [] : ['the mirror of the hot rows is not ready']),
  ]
}
