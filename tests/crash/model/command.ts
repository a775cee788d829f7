import type fc from 'fast-check'
import { howMany } from '../../support/counts.ts'
import { pick, seeded } from '../../support/sample.ts'
import type { SampleEvent } from '../../support/sample.ts'
import { compareAnswers } from './compare.ts'
import type { Model } from './model.ts'
import type { Subject } from './subject.ts'

/** What all commands share: one seed decides all that a command does, so that shrinking has only the list of commands to shorten. */

export type ModelCommand = fc.AsyncCommand<Model, Subject>

export interface Step {
  model: Model
  subject: Subject
  random: () => number
}

export interface CommandKind {
  name: string
  /** How often it comes, against the others. */
  weight: number
  act(step: Step): Promise<void>
  /** Whether there is anything to do it to. */
  possible?: (model: Readonly<Model>) => boolean
}

export type IsWanted = (kind: CommandKind, model: Readonly<Model>) => boolean

const QUESTION_SEED = 1_000_003
const ASK_EVERY = howMany('commands_from_one_question_to_the_next')

/** A command, and a comparison of answers behind it. Its seed decides whether there is one, so that a shortened list asks the same. */
export function createCommand(kind: CommandKind, seed: number, isWanted: IsWanted): ModelCommand {
  return {
    check: (model) => isWanted(kind, model) && (kind.possible?.(model) ?? true),
    async run(model, subject) {
      await kind.act({ model, subject, random: seeded(seed) })
      if (seed % ASK_EVERY === 0) await compareAnswers(model, subject, seeded(seed + QUESTION_SEED))
      subject.tally.add(kind.name)
    },
    toString: () => `${kind.name} ${seed}`,
  }
}

export function times<T>(n: number, make: () => T): T[] {
  return Array.from({ length: n }, make)
}

/** A known event once more, as it was or with everything changed but its id. */
export function copyOf({ model, random }: Step, event: SampleEvent): SampleEvent {
  const other = random() < 0.5 ? event : model.fresh(random)
  const { event_id } = event
  return { ...other, event_id: random() < 0.2 ? event_id.toUpperCase() : event_id }
}

/** Some of the known events of a tier; none if it has none. */
export function someOf({ model, random }: Step, tier: 'hot' | 'cold', most: number): SampleEvent[] {
  const known = [...model.events.values()].filter((e) => model.hot.has(e.event_id) === (tier === 'hot'))
  return known.length === 0 ? [] : times(1 + Math.floor(random() * most), () => pick(random, known))
}

export function shuffle<T>(random: () => number, values: readonly T[]): T[] {
  const order = values.map((value) => ({ value, at: random() }))
  return order.toSorted((a, b) => a.at - b.at).map(({ value }) => value)
}
