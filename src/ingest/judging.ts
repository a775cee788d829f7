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
 * A body up to this size is judged where it was read, in some milliseconds, or tens of them if it is CSV. A larger one goes to a thread of its
 * own, because nobody else would be answered meanwhile; for a small one the way there and back costs more than it saves.
 */
export const JUDGED_AT_ONCE_BYTES_MAX = 512 * 1024

/** A body of this size takes about a millisecond. Of those that are larger each gets a turn of the event loop, however many have arrived in one. */
export const OWN_TURN_BYTES_MIN = 32 * 1024

/** Judges what was sent, each body where it keeps nobody waiting. */
export interface Judging {
  /** @throws {Problem} as {@link judgeBody} does */
  body(body: Body): Promise<Judgement>
  values(batch: Batch): Judgement
  /** What has not been judged yet will not be. */
  close(): Promise<void>
}

interface Waiting {
  body: Body
  resolve: (judgement: Judgement) => void
  reject: (error: Error) => void
}

/** The thread starts with the first large body. It gets one at a time: if it dies of one, the others have not been lost with it. */
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
      settle()?.reject(new Error('the thread that judges large bodies ended', { cause }))
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

/** The buffers in which there is nothing else: they change threads without being copied. */
function ownBuffers({ parts }: Body): ArrayBuffer[] {
  return parts.filter((part) => part.byteLength === part.buffer.byteLength).map(({ buffer }) => buffer)
}
