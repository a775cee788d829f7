import { numberUsers } from '../../src/sets/numbers.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'

/** Numbers the users of all hot rows, so that a job needs the write lock only for its commit. */
export function numberHotUsers(db: Sqlite): void {
  numberUsers(db, db.prepare('SELECT DISTINCT user_id FROM events').pluck().all() as string[])
}
