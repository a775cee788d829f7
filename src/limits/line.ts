/**
 * A bounded queue: a limited number of turns run at once, and a limited number wait. It is fair: the next
 * turn is given to the waiting caller with the fewest running turns, and among equals to the one that got
 * its last turn first.
 */
export interface Line {
  /**
   * Waits for a turn.
   * @param caller whose turn it is: by it turns and places are shared
   * @returns the function that ends the turn, or FULL without waiting
   * @throws the signal's reason if it aborts while waiting
   */
  enter(caller: string, signal: AbortSignal): Promise<(() => void) | typeof FULL>
  readonly running: number
  readonly waiting: number
}

export const FULL = Symbol('the queue is full')

/** Of the waiting places, one caller may hold half, rounded up: the others are left for other callers. */
export const WAITING_SHARE = 1 / 2

type Start = () => void

/** A caller that has turns or waits. */
interface Caller {
  turns: number
  waiting: Set<Start>
  /** Number of its last turn; 0 if it had none. */
  last_turn: number
}

export function createLine(running_max: number, waiting_max: number): Line {
  const share_max = Math.ceil(waiting_max * WAITING_SHARE)
  const callers = new Map<string, Caller>()
  let running = 0
  let waiting = 0
  let last_turn = 0

  function callerOf(name: string): Caller {
    const known = callers.get(name)
    if (known !== undefined) return known
    const caller = { turns: 0, waiting: new Set<Start>(), last_turn: 0 }
    callers.set(name, caller)
    return caller
  }

  function forgetIdle(name: string, caller: Caller): void {
    if (caller.turns === 0 && caller.waiting.size === 0) callers.delete(name)
  }

  /** Looks at every caller once; there are no more than turns and places. */
  function serveNext(): void {
    let next: Caller | null = null
    for (const caller of callers.values()) {
      if (caller.waiting.size > 0 && (next === null || isBefore(caller, next))) next = caller
    }
    const start = next?.waiting.values().next().value
    if (start === undefined) return
    next!.waiting.delete(start)
    waiting -= 1
    start()
  }

  /** The returned function is idempotent. */
  function startTurn(name: string, caller: Caller): () => void {
    running += 1
    caller.turns += 1
    last_turn += 1
    caller.last_turn = last_turn
    let ended = false
    return function leave() {
      if (ended) return
      ended = true
      running -= 1
      caller.turns -= 1
      serveNext()
      forgetIdle(name, caller)
    }
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return waiting
    },
    async enter(name, signal) {
      signal.throwIfAborted()
      if (running < running_max) return startTurn(name, callerOf(name))
      const is_full = waiting >= waiting_max || (callers.get(name)?.waiting.size ?? 0) >= share_max
      if (is_full) return FULL
      const caller = callerOf(name)
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          caller.waiting.delete(start)
          waiting -= 1
          forgetIdle(name, caller)
          reject(signal.reason as Error)
        }
        const start = () => {
          signal.removeEventListener('abort', giveUp)
          resolve(startTurn(name, caller))
        }
        caller.waiting.add(start)
        waiting += 1
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
  }
}

function isBefore(a: Caller, b: Caller): boolean {
  return a.turns === b.turns ? a.last_turn < b.last_turn : a.turns < b.turns
}
