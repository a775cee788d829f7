import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { watch } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Layout } from '../../../src/store/layout.ts'

/**
 * Moments to kill at, counted and not timed: the n-th reply that a client gets, the n-th change of the database's log, the n-th file
 * that comes to or leaves staging, the n-th line that the process prints.
 */
export type Moment = 'reply' | 'commit' | 'staging' | 'line'

export interface Moments {
  replied(): void
  /** Kills a process at the n-th such moment from now on, unless it ends before. Resolves when it has ended. */
  killAt(child: ChildProcess, moment: Moment, n: number): Promise<Ended>
  close(): void
}

export interface Ended {
  code: number | null
  killed: boolean
}

export function watchMoments(layout: Layout, data_dir: string): Moments {
  const seen = new EventEmitter()
  seen.setMaxListeners(0)
  const watchers = [
    // A rename event is a name that came or went; mere writes are too many to mean anything.
    watch(layout.staging, (event) => event === 'rename' && seen.emit('staging' satisfies Moment)),
    watch(data_dir, (_, name) => name?.endsWith('-wal') === true && seen.emit('commit' satisfies Moment)),
  ]

  return {
    replied: () => seen.emit('reply' satisfies Moment),
    async killAt(child, moment, n) {
      const exit = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
      let left = n
      const look = () => {
        left -= 1
        if (left <= 0) child.kill('SIGKILL')
      }
      const lines = [child.stdout!, child.stderr!].map((input) => createInterface({ input }))
      if (moment === 'line') for (const reader of lines) reader.on('line', look)
      else seen.on(moment, look)
      const [code, signal] = await exit
      seen.off(moment, look)
      for (const reader of lines) reader.close()
      return { code, killed: signal === 'SIGKILL' }
    },
    close() {
      for (const watcher of watchers) watcher.close()
    },
  }
}
