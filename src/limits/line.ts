/** A bounded queue: a limited number of turns run at once, and a limited number wait. */
export interface Line {
  /**
   * Waits for a turn.
   * @returns the function that ends the turn, or FULL without waiting
   * @throws the signal's reason if it aborts while waiting
   */
  enter(signal: AbortSignal): Promise<(() => void) | typeof FULL>
  readonly running: number
  readonly waiting: number
}

export const FULL = Symbol('the queue is full')

export function createLine(running_max: number, waiting_max: number): Line {
  let running = 0
  const waiting = new Set<() => void>()

  function leave(): void {
    const next = waiting.values().next()
    if (next.done) running -= 1
    else {
      waiting.delete(next.value)
      next.value()
    }
  }

  /** The returned function is idempotent. */
  function turn(): () => void {
    let ended = false
    return () => {
      if (!ended) leave()
      ended = true
    }
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return waiting.size
    },
    async enter(signal) {
      signal.throwIfAborted()
      if (running < running_max) {
        running += 1
        return turn()
      }
      if (waiting.size >= waiting_max) return FULL
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          waiting.delete(start)
          reject(signal.reason as Error)
        }
        const start = () => {
          signal.removeEventListener('abort', giveUp)
          resolve(turn())
        }
        waiting.add(start)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
  }
}
