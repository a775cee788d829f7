/**
 * A bounded queue: a limited number of turns run at once, and a limited number wait. It is fair: the next
 * turn is given to the caller with the fewest turns, and among equals to the one that was not served for
 * the longest time.
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

export function createLine(running_max: number, waiting_max: number): Line {
  const share_max = Math.ceil(waiting_max * WAITING_SHARE)
  let running = 0
  let waiting = 0
  /** Turns of each caller that has any. */
  const turns = new Map<string, number>()
  /** Callers that wait, ordered by when they were last served. */
  const queues = new Map<string, Set<Start>>()

  function addTurns(caller: string, count: number): void {
    const now = (turns.get(caller) ?? 0) + count
    if (now === 0) turns.delete(caller)
    else turns.set(caller, now)
    running += count
  }

  function drop(caller: string, start: Start): void {
    const queue = queues.get(caller)!
    queue.delete(start)
    if (queue.size === 0) queues.delete(caller)
    waiting -= 1
  }

  /** The caller to serve next; at most as many steps as callers wait. */
  function nextCaller(): string | null {
    let next: string | null = null
    let fewest = Infinity
    for (const caller of queues.keys()) {
      const count = turns.get(caller) ?? 0
      if (count >= fewest) continue
      next = caller
      fewest = count
      if (count === 0) break
    }
    return next
  }

  function serveNext(): void {
    const caller = nextCaller()
    if (caller === null) return
    const queue = queues.get(caller)!
    const [start] = queue
    drop(caller, start!)
    if (queue.size > 0) {
      queues.delete(caller)
      queues.set(caller, queue)
    }
    start!()
  }

  /** The returned function is idempotent. */
  function turnOf(caller: string): () => void {
    addTurns(caller, 1)
    let ended = false
    return function leave() {
      if (ended) return
      ended = true
      addTurns(caller, -1)
      serveNext()
    }
  }

  return {
    get running() {
      return running
    },
    get waiting() {
      return waiting
    },
    async enter(caller, signal) {
      signal.throwIfAborted()
      if (running < running_max) return turnOf(caller)
      const queue = queues.get(caller)
      if (waiting >= waiting_max || (queue !== undefined && queue.size >= share_max)) return FULL
      return new Promise((resolve, reject) => {
        const giveUp = () => {
          drop(caller, start)
          reject(signal.reason as Error)
        }
        const start = () => {
          signal.removeEventListener('abort', giveUp)
          resolve(turnOf(caller))
        }
        if (queue === undefined) queues.set(caller, new Set([start]))
        else queue.add(start)
        waiting += 1
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
  }
}
