import { inWriting } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'

/** The numbers of users. They grow in the order in which users are first sealed, and none is given twice. */

/** Users that get their number in one transaction: few enough that a writer does not wait for long. */
const USERS_PER_TRANSACTION = 2_000
/** Users that are looked up by one statement: one for each takes eight times as long. */
const USERS_PER_LOOKUP = 10_000

/**
 * Gives a number to each user that has none. The caller holds the cold lock.
 * Numbers are durable before anything that uses them; one that is never used harms nobody.
 * @param user_ids each once
 * @returns the numbers, in the order of the users
 */
export function numberUsers(db: Sqlite, user_ids: readonly string[]): Uint32Array {
  const numbers = findNumbers(db, user_ids)
  const fresh = [...user_ids.keys()].filter((i) => numbers[i] === 0)
  const take = db.prepare('UPDATE user_numbering SET next = next + ? RETURNING next - ?').pluck()
  const add = db.prepare('INSERT INTO user_numbers (user_id, uid) SELECT value, ? + key FROM json_each(?)')
  for (const some of inParts(fresh, USERS_PER_TRANSACTION)) {
    const first = inWriting(db, () => {
      const next = take.get(some.length, some.length) as number
      add.run(next, JSON.stringify(some.map((i) => user_ids[i])))
      return next
    })
    for (const [n, i] of some.entries()) numbers[i] = first + n
  }
  return numbers
}

/** Looks up the numbers of users, in their order; 0 if there is none. */
export function findNumbers(db: Sqlite, user_ids: readonly string[]): Uint32Array {
  const find = db
    .prepare('SELECT coalesce(uid, 0) FROM json_each(?) LEFT JOIN user_numbers ON user_id = value')
    .pluck()
  return Uint32Array.from(
    inParts(user_ids, USERS_PER_LOOKUP).flatMap((some) => find.all(JSON.stringify(some)) as number[]),
  )
}

function inParts<T>(all: readonly T[], length: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / length) }, (_, n) =>
    all.slice(n * length, (n + 1) * length),
  )
}
