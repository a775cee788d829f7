import { parentPort, workerData } from 'node:worker_threads'
import { ColdFileError } from '../cold/file-check.ts'
import { openLayout } from '../store/layout.ts'
import { isOutOfMemory } from '../store/duckdb.ts'
import { openStoreForReading } from '../store/sqlite.ts'
import { openEngine } from './engine.ts'
import { PatternError } from './patterns.ts'
import { renderRows } from './events-reply.ts'
import type { Failure, FromQueryThread, QuerySetup, ToQueryThread } from './tier.ts'

/**
 * The worker thread that runs DuckDB, so that building the mirror and converting rows never block
 * the HTTP event loop.
 */

const port = parentPort!
const setup = workerData as QuerySetup
const layout = openLayout(setup.data_dir)
const db = openStoreForReading(layout.database)
const tell = (message: FromQueryThread, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)
const engine = await openEngine(db, layout, {
  ...setup,
  onMirrored: (mirrored) => tell({ kind: 'mirrored', mirrored }),
})

/** How often the mirror catches up while no question is running. */
const CATCH_UP_INTERVAL_MS = 250

const running = new Map<number, { controller: AbortController; ended: Promise<void> }>()

/**
 * After a fatal error DuckDB rejects every statement. The thread exits; a new one rebuilds the
 * mirror from SQLite.
 */
function isFatal(error: unknown): boolean {
  return error instanceof Error && /FATAL|has been invalidated/.test(error.message)
}

interface Answer {
  value: unknown
  /** Buffers of the value that are handed over instead of copied. */
  transfer?: ArrayBuffer[]
}

function serve(id: number, act: (signal: AbortSignal) => Promise<Answer>): void {
  const controller = new AbortController()
  running.set(id, { controller, ended: answer(id, act(controller.signal)) })
}

async function answer(id: number, result: Promise<Answer>): Promise<void> {
  try {
    const { value, transfer } = await result
    tell({ kind: 'answer', id, value }, transfer)
  } catch (error) {
    if (isFatal(error)) throw error
    tell({
      kind: 'failed',
      id,
      code: codeOf(error),
      reason: error instanceof Error ? error.message : String(error),
    })
  } finally {
    running.delete(id)
  }
}

function codeOf(error: unknown): Failure['code'] {
  if (error instanceof ColdFileError) return 'cold_file_damaged'
  if (error instanceof PatternError) return 'invalid_parameter'
  return isOutOfMemory(error) ? 'query_out_of_memory' : 'query_failed'
}

let closing = false
let catchingUp = false
const timer = setInterval(() => {
  if (!catchingUp && running.size === 0) void catchUp()
}, CATCH_UP_INTERVAL_MS)

async function catchUp(): Promise<void> {
  catchingUp = true
  await engine.catchUp()
  catchingUp = false
}

async function close(): Promise<void> {
  closing = true
  clearInterval(timer)
  for (const { controller } of running.values()) controller.abort()
  await Promise.all([...running.values()].map(({ ended }) => ended))
  await engine.close()
  db.close()
  port.close()
}

port.on('message', (message: ToQueryThread) => {
  if (message.kind === 'ask') {
    const { asked } = message
    serve(message.id, async (signal) => ({ value: await engine.ask(asked, signal) }))
  } else if (message.kind === 'events') {
    const { question, format } = message
    serve(message.id, async (signal) => {
      const page = renderRows(format, await engine.events(question, signal))
      return { value: page, transfer: [page.text.buffer] }
    })
  } else if (message.kind === 'tiers') serve(message.id, async () => ({ value: engine.tiers() }))
  else if (message.kind === 'cancel') running.get(message.id)?.controller.abort()
  else void close()
})

await catchUp()
if (!closing) tell({ kind: 'ready' })
