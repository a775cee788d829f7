import { nowMicros } from '../../src/event/time.ts'
import type { Micros } from '../../src/event/time.ts'
import type { Asked } from '../../src/questions/parts/asked.ts'
import { parseQuestion } from '../../src/questions/parts/parameters.ts'
import { questionNamed } from '../../src/questions/table.ts'

/**
 * A question as a client asks it.
 * @param query parameters by name; a list where one is given several times
 */
export function askedFor(
  name: string,
  query: Readonly<Record<string, string | readonly string[]>>,
  now_us: Micros = nowMicros(),
): Asked {
  const lists = Object.entries(query).map(([key, values]): [string, string[]] => [key, [values].flat()])
  return parseQuestion(questionNamed(name), Object.fromEntries(lists), now_us)
}
