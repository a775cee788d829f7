import { parentPort, workerData } from 'node:worker_threads'
import { openColdIds } from '../cold/ids.ts'
import { openLayout } from '../store/layout.ts'
import { openStore } from '../store/sqlite.ts'
import { openAppendWriter } from './commit.ts'
import { openAppend } from './event-store.ts'
import type { Append, Appended } from './event-store.ts'
import type { Failure, FromWriter, ToWriter, WriterSetup } from './writer-queue.ts'

/**
 * The thread that owns the service's write connection. Requests that arrive during a commit share the next
 * one. A request with ids that may be in cold waits for the files to be read, and the others pass it.
 */

/** A commit of this many events takes about 0.2 s. Larger groups gain little throughput and add latency. */
const GROUP_EVENTS_MAX = 20_000

const port = parentPort!
const setup = workerData as WriterSetup
const layout = openLayout(setup.data_dir)
const db = openStore(layout.database)
const tell = (message: FromWriter) => port.postMessage(message)
// Without the cold ids duplicates cannot be detected, so nothing may be stored. The thread still waits for
// `close`: an uncaught exception in a thread with native modules loaded has crashed the whole process.
const coldIds = await openColdIds(db, layout, {
  memory_mb: setup.memory_mb,
  onRepair: (reason) => tell({ kind: 'repairing', reason }),
}).catch((error: unknown) => {
  tell({ kind: 'cannot_start', reason: String(error) })
  return null
})
const writer = coldIds === null ? null : openAppendWriter(db, coldIds, setup.limits)

interface Queued {
  request: number
  append: Append
  /** Its ids are certainly new, or cold files were read for them. */
  is_checked: boolean
}

const queue: Queued[] = []
/** Requests with ids that may be in cold, in order; they join the queue when the cold files have been read. */
const suspected: Queued[] = []
let preparing = false
let draining = false
let closing = false

function takeGroup(): Queued[] {
  let events = 0
  let requests = 0
  while (requests < queue.length) {
    const { batch, letters } = queue[requests]!.append
    events += batch.count + letters.length
    if (events > GROUP_EVENTS_MAX && requests > 0) break
    requests += 1
  }
  return queue.splice(0, requests)
}

function answerOf(result: Appended | Error): Appended | Failure {
  return result instanceof Error ? { outcome: 'failed', reason: String(result) } : result
}

/** Returns the requests that can be committed without reading cold files; the others wait for that. */
function setAsideSuspected(group: readonly Queued[]): Queued[] {
  return group.filter((queued) => {
    queued.is_checked ||= !coldIds!.suspects(queued.append.batch)
    if (!queued.is_checked) suspected.push(queued)
    return queued.is_checked
  })
}

async function prepareSuspected(): Promise<void> {
  if (preparing) return
  preparing = true
  while (suspected.length > 0) {
    const [next] = suspected as [Queued]
    await coldIds!.prepare(next.append.batch)
    next.is_checked = true
    suspected.shift()
    queue.push(next)
    wake()
  }
  preparing = false
}

async function drain(): Promise<void> {
  while (queue.length > 0) {
    let group = takeGroup()
    const started = performance.now()
    try {
      // The newest ids in cold may be those of this group.
      await coldIds!.catchUp()
      group = setAsideSuspected(group)
      void prepareSuspected()
      if (group.length === 0) continue
      const results = await writer!.commit(group.map(({ append }) => append))
      const events = group.reduce((n, { append }) => n + append.batch.count, 0)
      tell({
        kind: 'committed',
        commit: { events, took_ms: performance.now() - started },
        results: group.map(({ request }, n) => ({ request, result: answerOf(results[n]!) })),
      })
    } catch (error) {
      tell({ kind: 'failed', requests: group.map(({ request }) => request), reason: String(error) })
    }
  }
  draining = false
  if (closing && suspected.length === 0) {
    coldIds?.close()
    db.close()
    port.close()
  }
}

function wake(): void {
  if (draining) return
  draining = true
  // Deferred, so that all messages that have already arrived share one commit.
  setImmediate(() => void drain())
}

port.on('message', (message: ToWriter) => {
  if (message.kind === 'close') closing = true
  else {
    for (const { request, append } of message.appends)
      queue.push({ request, append: openAppend(append), is_checked: false })
  }
  wake()
})

if (writer !== null) tell({ kind: 'ready' })
