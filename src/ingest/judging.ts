import type { Worker } from 'node:worker_threads'
import { createEventSchema } from '../event/event.ts'
import { nowMicros } from '../event/time.ts'
import { Problem } from '../problem/problem.ts'
import { startThread } from '../process/threads.ts'
import { sizeOf } from './body.ts'
import type { Body } from './body.ts'
import type { Batch } from './formats/batch.ts'
import type { FromJudge, JudgeSetup } from './judge-thread.ts'
import { judgeBatch, judgeBody } from './judge.ts'
import type { Judgement } from './judge.ts'

/**
 * A body up to this size is validated on the HTTP thread, in a few milliseconds, or tens of them for CSV.
 * A larger one would block other requests, so it goes to a separate thread. For smaller ones the transfer
 * costs more than it saves.
 */
export const JUDGED_AT_ONCE_BYTES_MAX = 512 * 1024

/**
 * A body of this size takes about a millisecond.
 * Larger bodies are validated one per turn of the event loop.
 */
export const OWN_TURN_BYTES_MIN = 32 * 1024

/** Validates batches, and moves large bodies to a separate thread. */
export interface Judging {
  /** @throws {Problem} as {@link judgeBody} does */
  body(body: Body): Promise<Judgement>
  values(batch: Batch): Judgement
  /** Stops the thread. The body in progress is rejected; promises of queued bodies never settle. */
  close(): Promise<void>
}

interface Waiting {
  body: Body
  resolve: (judgement: Judgement) => void
  reject: (error: Error) => void
}

/**
 * Creates the validator. The thread starts with the first large body and gets one body at a time, so that
 * a body that crashes it affects no other.
 */
export function createJudging({ events_max }: JudgeSetup): Judging {
  const schema = createEventSchema(nowMicros)
  const line: Waiting[] = []
  let thread: Worker | null = null
  let current: Waiting | null = null
  let last_turn: Promise<void> = Promise.resolve()

  function ownTurn(): Promise<void> {
    last_turn = last_turn.then(
      () =>
        new Promise((resolve) => {
          setImmediate(resolve)
        }),
    )
    return last_turn
  }

  function start(): Worker {
    const worker = startThread(import.meta.url, './judge-thread', { events_max } satisfies JudgeSetup)
    worker.on('message', (message: FromJudge) => {
      if ('judgement' in message) settle()?.resolve(message.judgement)
      else
        settle()?.reject(new Problem(message.problem.code, message.problem.detail, message.problem.options))
      next()
    })
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    worker.once('exit', () => {
      thread = null
      settle()?.reject(new Error('the thread that validates large bodies exited', { cause }))
      next()
    })
    return worker
  }

  function settle(): Waiting | null {
    const settled = current
    current = null
    return settled
  }

  function next(): void {
    if (current !== null) return
    current = line.shift() ?? null
    if (current === null) return
    const { body } = current
    thread ??= start()
    thread.postMessage(body, ownBuffers(body))
  }

  return {
    async body(body) {
      const bytes = sizeOf(body)
      if (bytes <= JUDGED_AT_ONCE_BYTES_MAX) {
        if (bytes >= OWN_TURN_BYTES_MIN) await ownTurn()
        return judgeBody(schema, body, events_max)
      }
      return new Promise((resolve, reject) => {
        line.push({ body, resolve, reject })
        next()
      })
    },
    values: (batch) => judgeBatch(schema, batch),
    async close() {
      line.length = 0
      await thread?.terminate()
    },
  }
}

/** Buffers that belong to one chunk alone, so they can be transferred to the thread instead of copied. */
function ownBuffers({ parts }: Body): ArrayBuffer[] {
  return parts.filter((part) => part.byteLength === part.buffer.byteLength).map(({ buffer }) => buffer)
}
