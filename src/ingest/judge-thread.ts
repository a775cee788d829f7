import { serialize } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import { createJudge } from '../event/judge.ts'
import { nowMicros } from '../event/time.ts'
import { Problem } from '../problem/problem.ts'
import type { ProblemOptions } from '../problem/problem.ts'
import type { ProblemCode } from '../problem/problems.ts'
import type { Body } from './body.ts'
import type { SealedContent } from './event-store.ts'
import { judgeBody } from './judge.ts'
import type { Judgement } from './judge.ts'

/**
 * The thread that parses and validates large bodies,
 * one at a time, so that they do not block the HTTP thread.
 */

export interface JudgeSetup {
  events_max: number
}

export type FromJudge =
  /** Sent once, when the thread can take bodies. */
  | { loaded: true }
  | { judgement: Judgement<SealedContent> }
  /** A plain object, because structured clone keeps only the message of an Error subclass. */
  | { problem: { code: ProblemCode; detail: string; options: ProblemOptions } }

const port = parentPort!
const { events_max } = workerData as JudgeSetup
const judge = createJudge(nowMicros)
const tell = (message: FromJudge, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer)

port.on('message', (body: Body) => {
  try {
    const { judged, content } = judgeBody(judge, body, events_max)
    const sealed = serialize(content)
    tell({ judgement: { judged, content: sealed } }, [sealed.buffer as ArrayBuffer])
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const { code, message, errors, extra, headers } = error
    const options = {
      extra: { ...extra },
      headers: { ...headers },
      ...(errors === undefined ? {} : { errors }),
    }
    tell({ problem: { code, detail: message, options } })
  }
})

tell({ loaded: true })
