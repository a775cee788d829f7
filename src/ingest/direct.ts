import { openColdIds } from '../cold/ids.ts'
import type { ColdIdsOptions } from '../cold/ids.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { openAppendWriter } from './commit.ts'
import type { CommitLimits } from './commit.ts'
import { openAppend } from './event-store.ts'
import type { EventStore } from './event-store.ts'

/**
 * The store for a command that stores one thing and ends: the service's writer without its thread and queue. A service may store at the same
 * time: each commits under SQLite's write lock and checks there whether cold has changed since it looked for its ids.
 */
export async function openDirectStore(
  db: Sqlite,
  layout: Layout,
  limits: CommitLimits,
  options: ColdIdsOptions,
): Promise<EventStore & { close(): void }> {
  const coldIds = await openColdIds(db, layout, options)
  const writer = openAppendWriter(db, coldIds, limits)
  return {
    async append(order) {
      const [result] = await writer.commit([openAppend(order)])
      if (result instanceof Error) throw result
      return result!
    },
    close: () => coldIds.close(),
  }
}
