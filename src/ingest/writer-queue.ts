import { Problem } from '../problem/problem.ts'
import { startThread } from '../process/threads.ts'
import type { CommitLimits } from './commit.ts'
import { rowsOf } from './event-store.ts'
import type { Appended, AppendOrder, EventStore } from './event-store.ts'

/** The service's side of the writer thread: a bounded queue in front of SQLite. */
export interface SqliteStore extends EventStore {
  /** Events that are queued or being committed; of rejected ones those that become dead letters. */
  readonly waiting_events: number
  /** Whether the writer has loaded the ids of hot and cold and accepts events. */
  readonly ready: boolean
  /** Whether events wait until the index of cold ids is rebuilt. */
  readonly repairing: boolean
  /** For how long the oldest request has waited; 0 if none does. */
  readonly waiting_ms: number
  /** How long ago the last commit failed; null if it succeeded. */
  readonly failed_ms: number | null
  /** Commits the queued events, then closes the database. */
  close(): Promise<void>
}

/** What the writer thread is started with. */
export interface WriterSetup {
  data_dir: string
  memory_mb: number
  limits: CommitLimits
}

/**
 * Small requests share a message, and so do the results of a group:
 * waking a thread costs more than one event.
 */
export type ToWriter = { kind: 'append'; appends: NumberedAppend[] } | { kind: 'close' }

export interface NumberedAppend {
  request: number
  append: AppendOrder
}

export type FromWriter =
  | { kind: 'ready' }
  | { kind: 'cannot_start'; reason: string }
  | { kind: 'repairing'; reason: string }
  | { kind: 'committed'; commit: Commit; results: { request: number; result: Appended | Failure }[] }
  | { kind: 'failed'; requests: number[]; reason: string }

/** The result of a request that failed while others of its group were committed. */
export interface Failure {
  outcome: 'failed'
  reason: string
}

/** One commit of one or several requests. */
export interface Commit {
  /** Valid events, including duplicates. */
  events: number
  /** Includes the fsync. */
  took_ms: number
}

export interface SqliteStoreOptions extends WriterSetup {
  queue_events_max: number
  onCommit: (commit: Commit) => void
  /** A write failed; called once per request. */
  onTrouble: (reason: string) => void
  /** The index of cold ids is being rebuilt; events wait for it. */
  onRepair: (reason: string) => void
  /** The writer thread exited unexpectedly. Nothing can be stored until the service restarts. */
  onDeath: (error: Error) => void
}

/**
 * Events that are sent to the writer at once.
 * Fewer wait until the current turn of the event loop has ended.
 */
const HANDED_OVER_AT_ONCE_EVENTS = 200

interface Waiting {
  count: number
  at_ms: number
  resolve: (result: Appended) => void
  reject: (error: Error) => void
}

/**
 * Starts the writer thread. Returns at once;
 * until the thread has loaded the cold ids, `append` throws `not_ready`.
 */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  const { queue_events_max, onCommit, onTrouble, onRepair, onDeath, ...setup } = options
  const worker = startThread('ingest/writer-thread', setup)
  const waiting = new Map<number, Waiting>()
  let waiting_events = 0
  let requests = 0
  let state: 'starting' | 'ready' | 'closing' | 'dead' = 'starting'
  let repairing = false
  let failed_at_ms: number | null = null

  const settle = (request: number): Waiting => {
    const entry = waiting.get(request)!
    waiting.delete(request)
    waiting_events -= entry.count
    return entry
  }
  function fail(request: number, reason: string): void {
    onTrouble(reason)
    settle(request).reject(unavailable(reason))
  }
  const post = (message: ToWriter, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer)

  let gathered: NumberedAppend[] = []
  let gathered_events = 0
  function handOver(): void {
    if (gathered.length === 0) return
    post({ kind: 'append', appends: gathered }, gathered.flatMap(buffersOf))
    gathered = []
    gathered_events = 0
  }
  function gather(next: NumberedAppend): void {
    gathered.push(next)
    gathered_events += rowsOf(next.append.judged)
    if (gathered_events >= HANDED_OVER_AT_ONCE_EVENTS) handOver()
    else if (gathered.length === 1) setImmediate(handOver)
  }

  worker.on('message', (message: FromWriter) => {
    repairing = message.kind === 'repairing'
    if (message.kind === 'ready') {
      if (state === 'starting') state = 'ready'
    } else if (message.kind === 'cannot_start') die(message.reason)
    else if (message.kind === 'repairing') onRepair(message.reason)
    else if (message.kind === 'committed') {
      failed_at_ms = null
      onCommit(message.commit)
      for (const { request, result } of message.results) {
        if (result.outcome === 'failed') fail(request, result.reason)
        else settle(request).resolve(result)
      }
    } else {
      failed_at_ms = performance.now()
      for (const request of message.requests) fail(request, message.reason)
    }
  })
  let cause: unknown
  let alive = true
  /** Fails all waiting requests; from now on `append` throws `store_unavailable`. */
  function die(reason: unknown): void {
    if (state === 'dead') return
    const asked = state === 'closing' && reason === undefined
    state = 'dead'
    cause = reason
    for (const request of waiting.keys()) settle(request).reject(unavailable(reason))
    if (!asked) onDeath(new Error('the writer thread failed', { cause: reason }))
  }
  worker.once('error', die)
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      alive = false
      die(undefined)
      resolve()
    })
  })

  return {
    get waiting_events() {
      return waiting_events
    },
    get ready() {
      return state === 'ready'
    },
    get repairing() {
      return repairing
    },
    get waiting_ms() {
      const oldest = waiting.values().next()
      return oldest.done ? 0 : performance.now() - oldest.value.at_ms
    },
    get failed_ms() {
      return failed_at_ms === null ? null : performance.now() - failed_at_ms
    },
    async append(append) {
      const rows = rowsOf(append.judged)
      if (state === 'starting') {
        throw new Problem('not_ready', 'The writer is loading the index of cold ids. Send again later.')
      }
      if (state !== 'ready') throw unavailable(cause)
      if (waiting_events + rows > queue_events_max && waiting_events > 0) {
        throw new Problem(
          'queue_full',
          `${waiting_events} events are waiting to be written. Send again later.`,
        )
      }
      requests += 1
      const request = requests
      waiting_events += rows
      return new Promise((resolve, reject) => {
        waiting.set(request, { count: rows, at_ms: performance.now(), resolve, reject })
        gather({ request, append })
      })
    },
    async close() {
      if (state !== 'dead') state = 'closing'
      handOver()
      if (alive) post({ kind: 'close' })
      await ended
    },
  }
}

/** Buffers to transfer instead of copying. For small contents a copy is cheaper. */
function buffersOf({ append: { content } }: NumberedAppend): ArrayBuffer[] {
  return content instanceof Uint8Array ? [content.buffer as ArrayBuffer] : []
}

function unavailable(cause: unknown): Problem {
  return new Problem(
    'store_unavailable',
    'The events could not be committed. Send them again; each is counted once.',
    { cause },
  )
}
