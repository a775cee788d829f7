/** How a command ends: done, failed, wrong usage. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const

/** A failure that needs no stack: one line for the person at the terminal. */
export class CommandError extends Error {
  override name = 'CommandError'
}
