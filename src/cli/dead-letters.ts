import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { ColdFileError } from '../cold/file-check.ts'
import type { Config } from '../config.ts'
import { letterGone, listPage, openLetter, shapeLetter } from '../dead-letters/desk.ts'
import { writeExactJson } from '../event/json.ts'
import { openShelf } from '../dead-letters/shelf.ts'
import { nowMicros } from '../event/time.ts'
import { createBodyReader } from '../ingest/body.ts'
import { openDirectStore } from '../ingest/direct.ts'
import { createIngest } from '../ingest/ingest.ts'
import { createJudging } from '../ingest/judging.ts'
import { bodyLimits, commitLimits } from '../ingest/limits.ts'
import { replayLetter } from '../ingest/replay.ts'
import type { ReplayDeps } from '../ingest/replay.ts'
import { Problem } from '../problem/problem.ts'
import { openStore } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { CommandError, EXIT, UsageError } from './command.ts'
import type { Context } from './command.ts'
import { align, table } from './people.ts'
import { existingLayout, withStore } from './store.ts'

/** Dead letters on the command line, whether a service is running or not. */

type Filters = Readonly<Record<'limit' | 'reason' | 'cursor', string | undefined>>

export async function listLettersCommand(
  { config, answer, note }: Context,
  _: object,
  { limit, reason, cursor }: Filters,
): Promise<number> {
  const filters = Object.entries({ limit, reason, cursor })
  const query = Object.fromEntries(
    filters.filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const page = inStore(config, (db) => listPage(db, query))
  answer(page, () => table(['id', 'received_at', 'source', 'event_id', 'message'], page.data))
  if (page.next_cursor !== null) note(`There may be more: --cursor ${page.next_cursor}`)
  return EXIT.done
}

export async function showLetterCommand(
  { config, answer, note }: Context,
  { id }: { id: number },
): Promise<number> {
  const letter = inStore(config, (db) => shapeLetter(openLetter(db, String(id))))
  answer(letter, () => {
    const { event, is_cut: _, ...fields } = letter
    const lines = Object.entries(fields).map(([name, value]) => [name, String(value ?? '-')])
    return `${align(lines)}\n${writeExactJson(event, '  ')}`
  })
  if (letter.is_cut) note('Only the beginning of this event was kept.')
  return EXIT.done
}

export async function deleteLetterCommand(
  { config, answer }: Context,
  { id }: { id: number },
): Promise<number> {
  inStore(config, (db) => {
    if (!openShelf(db, commitLimits(config).letters).take(id)) throw letterGone()
  })
  answer({ id, deleted: true }, () => `Dead letter ${id} is deleted.`)
  return EXIT.done
}

/** The longest time that a timer of Node takes. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** @param choices `event`: a file with the corrected event, `-` for stdin; without it the letter is stored as it is */
export async function replayLetterCommand(
  context: Context,
  { id }: { id: number },
  { event: path }: { event: string | undefined },
): Promise<number> {
  const reply = await withReplay(context, async (db, deps) => {
    const letter = openLetter(db, String(id))
    if (path === undefined) return replayLetter(deps, letter, null)
    return withFile(path, (stream) =>
      replayLetter(deps, letter, {
        caller: 'command',
        header: (name) => (name === 'content-type' ? 'application/json' : undefined),
        stream,
      }),
    )
  })
  context.answer(reply, () =>
    reply.accepted === 1
      ? `Dead letter ${id} is stored.`
      : `Dead letter ${id} is deleted; its event was stored before.`,
  )
  return EXIT.done
}

/** Opens in this process what the service stores events with. */
async function withReplay<T>(
  { config, note }: Context,
  act: (db: Sqlite, deps: ReplayDeps) => Promise<T>,
): Promise<T> {
  const layout = existingLayout(config)
  const db = openStore(layout.database)
  try {
    const store = await openDirectStore(db, layout, commitLimits(config), {
      memory_mb: config.JOB_MEMORY_MB,
      onRepair: (reason) => note(`rebuilding the index of cold ids from the cold files: ${reason}`),
    })
    const judging = createJudging({
      events_max: config.EVENTS_PER_REQUEST_MAX,
      timeout_ms: config.JUDGE_TIMEOUT_MS,
    })
    try {
      const ingest = createIngest({ store, now_us: nowMicros })
      // A person may take any time to type an event.
      const bodies = createBodyReader({ ...bodyLimits(config), stall_timeout_ms: TIMER_MS_MAX })
      return await act(db, { judging, ingest, bodies, refusal: () => null })
    } finally {
      await judging.close()
      store.close()
    }
  } catch (error) {
    throw explain(error)
  } finally {
    db.close()
  }
}

/** Opens a file or stdin, and closes it even before its end: `/dev/zero` has none. */
async function withFile<T>(path: string, use: (stream: Readable) => Promise<T>): Promise<T> {
  const stream = path === '-' ? process.stdin : createReadStream(path)
  try {
    return await use(stream)
  } catch (error) {
    const { errored } = stream
    if (errored === null) throw error
    throw new CommandError(`${path} cannot be read: ${errored.message}`, { cause: errored })
  } finally {
    stream.destroy()
  }
}

function inStore<T>(config: Config, act: (db: Sqlite) => T): T {
  try {
    return withStore(existingLayout(config), act)
  } catch (error) {
    throw explain(error)
  }
}

/** The problem that a client would get, as an error of the command line. */
function explain(error: unknown): unknown {
  if (error instanceof ColdFileError) return new CommandError(error.message, { cause: error })
  if (!(error instanceof Problem)) return error
  if (error.code === 'invalid_parameter') return new UsageError(`--${error.message}.`)
  const lines = [error.message, ...(error.errors ?? []).map(({ message }) => message)]
  return new CommandError(lines.join('\n'), { cause: error })
}
