import { openColdIds } from '../cold/ids.ts'
import type { ColdIdsOptions } from '../cold/ids.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { openAppend } from './append.ts'
import type { HotTier } from './writing.ts'
import { openWriter } from '../hot/writer.ts'
import type { WriterLimits } from '../hot/writer.ts'

/**
 * The hot tier for a command that stores one thing and ends: the writer of the service, without its thread and queue. A service may store
 * meanwhile; each commits under SQLite's write lock, and looks there whether cold has changed since it looked for its ids.
 */
export async function openDirectTier(
  db: Sqlite,
  layout: Layout,
  limits: WriterLimits,
  options: ColdIdsOptions,
): Promise<Pick<HotTier, 'append'> & { close(): void }> {
  const coldIds = await openColdIds(db, layout, options)
  const writer = openWriter(db, coldIds, limits)
  return {
    async append(order) {
      const [result] = await writer.commit([openAppend(order)])
      if (result instanceof Error) throw result
      return result!
    },
    close: () => coldIds.close(),
  }
}
