import type { Worker } from 'node:worker_threads'
import { createJudge } from '../event/judge.ts'
import { nowMicros } from '../event/time.ts'
import { Problem } from '../problem/problem.ts'
import { startThread } from '../process/threads.ts'
import type { Body } from './body.ts'
import type { Batch } from './formats/batch.ts'
import type { FromJudge, JudgeSetup } from './judge-thread.ts'
import { judgeBatch, judgeBody, openRun, parseBody } from './judge.ts'
import type { Judgement } from './judge.ts'
import { weightOf } from './weight.ts'

/**
 * A body that weighs no more (see `weight.ts`) is validated on the HTTP thread in one go, in less than 10 ms
 * whatever it contains; 350 ordinary events weigh as much.
 */
export const JUDGED_AT_ONCE_BYTES_MAX = 96 * 1024

/**
 * A JSON body up to this weight, such as 1,000 ordinary events, is parsed on the HTTP thread, and its events are
 * validated there in turns. A heavier body, or one of another format that is not judged at once, goes to a separate
 * thread. See docs/decisions/ingest.md for what handing it over costs.
 */
export const JUDGED_IN_TURNS_BYTES_MAX = 384 * 1024

/** How long validation may go on before others have their turn. */
const TURN_MS = 3

/**
 * A body of this weight takes about a millisecond.
 * Heavier bodies are validated one per turn of the event loop.
 */
export const OWN_TURN_BYTES_MIN = 16 * 1024

/** Validates batches, and moves heavy bodies to a separate thread. */
export interface Judging {
  /** @throws {Problem} as {@link judgeBody} does; `validation_timeout`; `not_ready` if the service stops */
  body(body: Body): Promise<Judgement>
  values(batch: Batch): Judgement
  /** Stops the thread. The body in progress and those that wait are rejected. */
  close(): Promise<void>
}

export interface JudgingOptions extends JudgeSetup {
  /** A body that occupies the thread for longer is rejected, and the thread restarted. */
  timeout_ms: number
  /** The clock by which turns are measured. */
  now_ms?: () => number
}

interface Waiting {
  body: Body
  resolve: (judgement: Judgement) => void
  reject: (error: Error) => void
}

/**
 * Creates the validator. The thread starts with the first heavy body and gets one body at a time, so that
 * a body that crashes or blocks it affects no other.
 */
export function createJudging({
  events_max,
  timeout_ms,
  now_ms = () => performance.now(),
}: JudgingOptions): Judging {
  const judge = createJudge(nowMicros)
  const line: Waiting[] = []
  let thread: Worker | null = null
  let is_loaded = false
  let current: Waiting | null = null
  let limit: NodeJS.Timeout | undefined
  let closed = false
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

  async function judgeInTurns(body: Body): Promise<Judgement> {
    const run = openRun(judge, parseBody(body, events_max))
    for (let more = true; more;) {
      await ownTurn()
      const until = now_ms() + TURN_MS
      while ((more = run.step()) && now_ms() < until);
    }
    return run.end()
  }

  function start(): Worker {
    const worker = startThread('ingest/judge-thread', { events_max } satisfies JudgeSetup)
    is_loaded = false
    worker.on('message', (message: FromJudge) => {
      // The body timed out while its judgement was on the way.
      if (worker !== thread) return
      if ('loaded' in message) {
        is_loaded = true
        startLimit()
        return
      }
      const { resolve, reject } = settle()!
      if ('judgement' in message) resolve(message.judgement)
      else reject(new Problem(message.problem.code, message.problem.detail, message.problem.options))
      next()
    })
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    worker.once('exit', () => {
      if (worker !== thread) return
      thread = null
      settle()?.reject(new Error('the thread that validates large bodies exited', { cause }))
      next()
    })
    return worker
  }

  function settle(): Waiting | null {
    clearTimeout(limit)
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
    if (is_loaded) startLimit()
    thread.postMessage(body, ownBuffers(body))
  }

  /** Starts when the thread can begin: loading it is no fault of the body. */
  function startLimit(): void {
    limit = setTimeout(giveUp, timeout_ms)
  }

  function giveUp(): void {
    void thread?.terminate()
    thread = null
    settle()?.reject(
      new Problem('validation_timeout', `The body took more than ${timeout_ms} ms. Send smaller batches.`),
    )
    next()
  }

  return {
    async body(body) {
      const here_max = judgedHereMax(body.media_type)
      const weight = weightOf(body, here_max)
      if (weight <= here_max) {
        if (weight >= OWN_TURN_BYTES_MIN) await ownTurn()
        return weight <= JUDGED_AT_ONCE_BYTES_MAX
          ? judgeBody(judge, body, events_max)
          : await judgeInTurns(body)
      }
      return new Promise((resolve, reject) => {
        if (closed) throw stopping()
        line.push({ body, resolve, reject })
        next()
      })
    },
    values: (batch) => judgeBatch(judge, batch),
    async close() {
      closed = true
      const ended = thread?.terminate()
      thread = null
      for (const { reject } of [settle(), ...line.splice(0)].filter((one) => one !== null)) reject(stopping())
      await ended
    },
  }
}

/** The heaviest body of a format that is judged on the HTTP thread. Other formats judge each line as they parse it. */
export function judgedHereMax(media_type: string): number {
  return media_type === 'application/json' ? JUDGED_IN_TURNS_BYTES_MAX : JUDGED_AT_ONCE_BYTES_MAX
}

function stopping(): Problem {
  return new Problem('not_ready', 'The service is stopping. Send the events again later.')
}

/** Buffers that belong to one chunk alone, so they can be transferred to the thread instead of copied. */
function ownBuffers({ parts }: Body): ArrayBuffer[] {
  return parts.filter((part) => part.byteLength === part.buffer.byteLength).map(({ buffer }) => buffer)
}
