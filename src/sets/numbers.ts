import { inWriting } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'

/** The numbers of users. They grow in the order in which users are first sealed, and none is given twice. */

/** Users that get their number in one transaction: few enough that a writer does not wait for long. */
const USERS_PER_TRANSACTION = 2_000

/** Looks up numbers; a user without one has 0. */
export function openNumbers(db: Sqlite): (user_id: string) => number {
  const find = db.prepare('SELECT uid FROM user_numbers WHERE user_id = ?').pluck()
  return (user_id) => (find.get(user_id) as number | undefined) ?? 0
}

/**
 * Gives a number to each user that has none. The caller holds the cold lock.
 * Numbers are durable before anything that uses them; one that is never used harms nobody.
 * @returns the numbers, in the order of the users
 */
export function numberUsers(db: Sqlite, user_ids: readonly string[]): Uint32Array {
  const find = openNumbers(db)
  const numbers = Uint32Array.from(user_ids, find)
  const fresh = [...user_ids.keys()].filter((i) => numbers[i] === 0)
  const take = db.prepare('UPDATE user_numbering SET next = next + ? RETURNING next - ?').pluck()
  const add = db.prepare('INSERT INTO user_numbers (user_id, uid) VALUES (?, ?)')
  function addSome(some: readonly number[]): void {
    let next = take.get(some.length, some.length) as number
    for (const i of some) {
      add.run(user_ids[i], next)
      numbers[i] = next
      next += 1
    }
  }
  for (let done = 0; done < fresh.length; done += USERS_PER_TRANSACTION)
    inWriting(db, () => addSome(fresh.slice(done, done + USERS_PER_TRANSACTION)))
  return numbers
}
