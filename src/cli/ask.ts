import { nowMicros } from '../event/time.ts'
import { Problem } from '../problem/problem.ts'
import { openEngine } from '../query/engine.ts'
import type { Explained } from '../query/engine.ts'
import { answerOf } from '../questions/parts/answer.ts'
import { parseQuestion } from '../questions/parts/parameters.ts'
import { questionNamed } from '../questions/table.ts'
import { openLayout } from '../store/layout.ts'
import { openStoreForReading } from '../store/sqlite.ts'
import { CommandError, EXIT, UsageError } from './command.ts'
import type { Context, Values } from './command.ts'
import { align, count, grouped } from './people.ts'

const NEVER = new AbortController().signal

/** Options that no question has. */
const NO_PARAMETERS: ReadonlySet<string> = new Set(['json', 'data-dir', 'explain'])

/** Answers a question as the service does, also while it runs. */
export async function askCommand(
  { config, answer }: Context,
  { question: name }: { question: string },
  options: Values,
): Promise<number> {
  const definition = questionNamed(name)
  const query = Object.entries(options).flatMap(([option, given]): [string, string[]][] =>
    NO_PARAMETERS.has(option) || given === undefined
      ? []
      : [[option.replaceAll('-', '_'), [given].flat() as string[]]],
  )
  const asked = readQuestion(() => parseQuestion(definition, Object.fromEntries(query), nowMicros()))
  const layout = openLayout(config.DATA_DIR)
  const db = openStoreForReading(layout.database)
  const engine = await openEngine(db, layout, {
    threads: config.QUERY_THREADS,
    memory_mb: config.QUERY_MEMORY_MB,
  })
  try {
    if (options['explain'] === true) {
      const plan = await engine.explain(asked)
      answer(plan, () => peopleOf(plan))
      return EXIT.done
    }
    const { rows, ...meta } = await engine.ask(asked, NEVER).catch((error: unknown) => {
      throw new CommandError(error instanceof Error ? error.message : String(error), { cause: error })
    })
    const shaped = answerOf(asked, rows)
    answer({ ...shaped, meta }, () => {
      const [header = [], ...lines] = definition.csv(shaped)
      const numbers = header.map((_, i) => lines.some((cells) => typeof cells[i] === 'number'))
      const written = lines.map((cells) =>
        cells.map((cell) => (typeof cell === 'number' ? grouped(cell) : String(cell ?? '-'))),
      )
      return align([header.map(String), ...written], numbers)
    })
    return EXIT.done
  } finally {
    await engine.close()
    db.close()
  }
}

function peopleOf({ answered_from, from, to, cold_files, cold_events, sql }: Explained): string {
  const told = `Reads the ${answered_from} of ${from} to ${to}: ${count(cold_files, 'cold file')} of ${count(cold_events, 'event')}, and the hot rows.`
  return sql === null ? told : `${told}\n${sql}`
}

/** Wrong parameters are wrong usage, named as options. */
function readQuestion<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const told = (error.errors ?? []).map(({ path, message }) =>
      path === '' ? message : `--${path.replaceAll('_', '-')} ${message}`,
    )
    throw new UsageError(told.join('\n'))
  }
}
