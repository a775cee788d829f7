import type { Worker } from 'node:worker_threads'
import { createLine, FULL } from '../limits/line.ts'
import { Problem } from '../problem/problem.ts'
import { startThread } from '../process/threads.ts'
import type { Tiers } from '../store/tiers.ts'
import type { Mirrored, Reading } from './engine.ts'
import type { Asked } from '../questions/parts/asked.ts'
import { refuse } from '../questions/parts/parameters.ts'
import type { EventsFormat, RenderedPage } from './events-reply.ts'
import type { EventsQuestion } from './question.ts'

/** The service's side of the query thread: a bounded queue, the timeout, and a restart if the thread dies. */

/** Who asks a question. */
export interface Asker {
  /** By whom the places in the queue are shared: a key, a user or a network address. */
  caller: string
  /** Aborts when the client disconnects. */
  signal: AbortSignal
}

/** Queries over both tiers. */
export interface Queries {
  /**
   * Answers as of now or later: with at least every event acknowledged before the call.
   * @throws {Problem} `query_line_full`, `query_timeout`, `not_ready`, `cold_file_damaged`, `query_failed`
   */
  ask(asked: Asked, asker: Asker): Promise<Reading>
  /** Returns a page of events, rendered, with the same freshness and errors. */
  events(question: EventsQuestion, format: EventsFormat, asker: Asker): Promise<RenderedPage>
  tiers(asker: Asker): Promise<Tiers>
}

export interface QueryTier extends Queries {
  /** Whether the mirror of the hot rows is built. */
  readonly ready: boolean
  /**
   * The last state that the thread reported, so that reading it does not wait for the thread; null
   * until the mirror is built.
   */
  readonly mirrored: Mirrored | null
  readonly running: number
  readonly waiting: number
  close(): Promise<void>
}

export interface QuerySetup {
  data_dir: string
  threads: number
  memory_mb: number
}

export type ToQueryThread =
  | { kind: 'ask'; id: number; asked: Asked }
  | { kind: 'events'; id: number; question: EventsQuestion; format: EventsFormat }
  | { kind: 'tiers'; id: number }
  | { kind: 'cancel'; id: number }
  | { kind: 'close' }

export type FromQueryThread =
  | { kind: 'ready' }
  | { kind: 'mirrored'; mirrored: Mirrored }
  | { kind: 'answer'; id: number; value: unknown }
  | Failure

export interface Failure {
  kind: 'failed'
  id: number
  code: 'cold_file_damaged' | 'query_failed' | 'query_out_of_memory' | 'invalid_parameter'
  reason: string
}

export interface QueryTierOptions extends QuerySetup {
  timeout_ms: number
  running_max: number
  waiting_max: number
  /** Called if the thread dies. Errors of one question reject that question instead. */
  onTrouble: (reason: string) => void
}

/** Keeps a thread that dies at start from using a whole core. */
const RESTART_PAUSE_MS = 1_000

type Work =
  | { kind: 'ask'; asked: Asked }
  | { kind: 'events'; question: EventsQuestion; format: EventsFormat }
  | { kind: 'tiers' }

function failureOf(code: Failure['code'], reason: string, memory_mb: number): Problem {
  switch (code) {
    case 'query_out_of_memory':
      return new Problem(code, `The query needs more than ${memory_mb} MB. Ask for fewer days.`, {
        cause: reason,
      })
    case 'invalid_parameter':
      return refuse([{ path: 'where', message: reason }])
    case 'cold_file_damaged':
      return new Problem(code, reason, { cause: reason })
    case 'query_failed':
      return new Problem(code, 'The query failed.', { cause: reason })
  }
}

/** Starts the query thread. Returns before the mirror is built, which can take seconds; see `ready`. */
export function openQueryTier(options: QueryTierOptions): QueryTier {
  const { timeout_ms, running_max, waiting_max, onTrouble, ...setup } = options
  const line = createLine(running_max, waiting_max)
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let ids = 0
  let ready = false
  let told: { mirrored: Mirrored; at_ms: number } | null = null
  let closing = false
  let worker: Worker | null = null
  let ended: Promise<void> = Promise.resolve()
  let restart: NodeJS.Timeout | undefined

  function start(): void {
    const thread = startThread('query/thread', setup)
    worker = thread
    thread.on('message', (message: FromQueryThread) => {
      if (message.kind === 'ready') ready = true
      else if (message.kind === 'mirrored') told = { mirrored: message.mirrored, at_ms: performance.now() }
      else if (message.kind === 'answer') settle(message.id)?.resolve(message.value)
      else {
        const { code, reason } = message
        settle(message.id)?.reject(failureOf(code, reason, options.memory_mb))
      }
    })
    thread.on('error', (error) => onTrouble(String(error)))
    ended = new Promise((resolve) => {
      thread.once('exit', () => {
        ready = false
        told = null
        worker = null
        for (const id of open.keys()) {
          settle(id)?.reject(
            new Problem('query_failed', 'The query engine failed and is restarting. Try again later.'),
          )
        }
        if (!closing) restart = setTimeout(start, RESTART_PAUSE_MS)
        resolve()
      })
    })
  }

  function settle(id: number) {
    const entry = open.get(id)
    open.delete(id)
    return entry
  }

  async function send(work: Work, { caller, signal: client }: Asker): Promise<unknown> {
    const limit = AbortSignal.timeout(timeout_ms)
    const signal = AbortSignal.any([client, limit])
    try {
      const leave = await line.enter(caller, signal)
      if (leave === FULL) {
        throw new Problem('query_line_full', `${line.waiting} queries are waiting. Try again later.`)
      }
      try {
        return await post(work, signal)
      } finally {
        leave()
      }
    } catch (error) {
      if (limit.aborted && !(error instanceof Problem && error.code === 'cold_file_damaged')) {
        throw new Problem('query_timeout', `The query took more than ${timeout_ms} ms.`, { cause: error })
      }
      throw error
    }
  }

  /**
   * Settles only when the thread has finished or dropped the question, so that `running` counts
   * what really runs.
   */
  function post(work: Work, signal: AbortSignal): Promise<unknown> {
    if (worker === null || closing) throw new Problem('not_ready', 'The query engine is not running.')
    const thread = worker
    ids += 1
    const id = ids
    const cancel = () => thread.postMessage({ kind: 'cancel', id } satisfies ToQueryThread)
    return new Promise((resolve, reject) => {
      const done = () => signal.removeEventListener('abort', cancel)
      open.set(id, {
        resolve(value) {
          done()
          resolve(value)
        },
        reject(error) {
          done()
          reject(error)
        },
      })
      signal.addEventListener('abort', cancel, { once: true })
      thread.postMessage({ ...work, id } satisfies ToQueryThread)
    })
  }

  start()
  return {
    get ready() {
      return ready
    },
    get mirrored() {
      if (told === null) return null
      const { rows, through, age_ms } = told.mirrored
      return { rows, through, age_ms: age_ms + performance.now() - told.at_ms }
    },
    get running() {
      return line.running
    },
    get waiting() {
      return line.waiting
    },
    ask: (asked, asker) => send({ kind: 'ask', asked }, asker) as Promise<Reading>,
    events: (question, format, asker) =>
      send({ kind: 'events', question, format }, asker) as Promise<RenderedPage>,
    tiers: (asker) => send({ kind: 'tiers' }, asker) as Promise<Tiers>,
    async close() {
      closing = true
      clearTimeout(restart)
      worker?.postMessage({ kind: 'close' } satisfies ToQueryThread)
      await ended
    },
  }
}
