import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { ColdFileError } from '../cold/file-check.ts'
import { ConfigError } from '../config.ts'
import type { Config } from '../config.ts'
import { letterGone, listPage, openLetter, shapeLetter } from '../dead-letters/desk.ts'
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
import { openLayout } from '../store/layout.ts'
import { openStore } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { CommandError, EXIT } from './exit.ts'
import { withStore } from './keys.ts'
import { printTable } from './table.ts'

/** Dead letters on the command line, with a service running or not. */

/** @param query `reason`, `cursor` and `limit`, where they are given */
export function listLettersCommand(
  config: Config,
  query: Readonly<Record<string, string>>,
  json: boolean,
): number {
  const page = withStore(config, (db) => explained(() => listPage(db, query)))
  if (json) console.log(JSON.stringify(page))
  else {
    printTable(['id', 'received_at', 'source', 'event_id', 'message'], page.data)
    if (page.next_cursor !== null) console.error(`There may be more: --cursor ${page.next_cursor}`)
  }
  return EXIT.done
}

export function showLetterCommand(config: Config, id: string, json: boolean): number {
  const letter = withStore(config, (db) => explained(() => shapeLetter(openLetter(db, numberOf(id)))))
  if (json) console.log(printable(JSON.stringify(letter)))
  else {
    const { event, is_cut, ...fields } = letter
    for (const [name, value] of Object.entries(fields)) console.log(`${name.padEnd(11)}  ${value ?? '-'}`)
    console.log(printable(JSON.stringify(event, null, 2)))
    if (is_cut) console.error('Only the beginning of this event was kept.')
  }
  return EXIT.done
}

export function deleteLetterCommand(config: Config, id: string): number {
  const letter_id = Number(numberOf(id))
  withStore(config, (db) =>
    explained(() => {
      if (!openShelf(db, commitLimits(config).letters).take(letter_id)) throw letterGone()
    }),
  )
  console.log(`Dead letter ${letter_id} is deleted.`)
  return EXIT.done
}

/** @param event a file with the event to be stored in its place, `-` for stdin; undefined for the letter as it is */
export async function replayLetterCommand(
  config: Config,
  id: string,
  event: string | undefined,
  json: boolean,
): Promise<number> {
  const number = numberOf(id)
  const reply = await withReplay(config, async (db, deps) => {
    const letter = openLetter(db, number)
    if (event === undefined) return replayLetter(deps, letter, null)
    return withFile(event, (stream) =>
      replayLetter(deps, letter, {
        header: (name) => (name === 'content-type' ? 'application/json' : undefined),
        stream,
      }),
    )
  })
  if (json) console.log(JSON.stringify(reply))
  else if (reply.accepted === 1) console.log(`Dead letter ${number} is stored.`)
  else console.log(`Dead letter ${number} is gone; its event was stored before.`)
  return EXIT.done
}

/** What the service stores events with, in this process. */
async function withReplay<T>(config: Config, act: (db: Sqlite, deps: ReplayDeps) => Promise<T>): Promise<T> {
  const layout = openLayout(config.DATA_DIR)
  const db = openStore(layout.database)
  try {
    const store = await openDirectStore(db, layout, commitLimits(config), {
      memory_mb: config.JOB_MEMORY_MB,
      onRepair: (reason) =>
        console.error(`the index of cold ids is made anew from the cold files: ${reason}`),
    })
    const judging = createJudging({ events_max: config.EVENTS_PER_REQUEST_MAX })
    try {
      const ingest = createIngest({ store, now_us: nowMicros })
      return await act(db, { judging, ingest, bodies: createBodyReader(bodyLimits(config)) })
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

/** Reads a file, or stdin, and lets go of it also where it does not end. */
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

function numberOf(id: string): string {
  if (/^\d{1,15}$/.test(id)) return id
  throw new ConfigError('The id is a number; frostline dead-letters list shows it.')
}

function explained<T>(act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw explain(error)
  }
}

/** What a client would be told, for the person at the terminal. */
function explain(error: unknown): unknown {
  if (error instanceof ColdFileError) return new CommandError(error.message, { cause: error })
  if (!(error instanceof Problem)) return error
  if (error.code === 'invalid_parameter') return new ConfigError(`--${error.message}`)
  const lines = [error.message, ...(error.errors ?? []).map(({ message }) => message)]
  return new CommandError(lines.join('\n'), { cause: error })
}

/** JSON escapes the controls that terminals obey, but for these; and what is kept here was sent by anybody. */
function printable(json: string): string {
  // The controls behind ASCII, line separators, and marks that turn the direction of text.
  return json.replaceAll(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
