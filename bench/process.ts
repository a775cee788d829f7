import { fork } from 'node:child_process'
import type { ChildProcess, ForkOptions } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Runs loads and limits in child processes,
 * so that they share no heap and no event loop with what is measured.
 */

/** Starts `bench/<name>.ts`, from sources or compiled as this is. */
export function forkModule(name: string, args: readonly string[], options: ForkOptions = {}): ChildProcess {
  const path = fileURLToPath(new URL(name + extname(import.meta.url), import.meta.url))
  return fork(path, args, { ...options, execArgv: path.endsWith('.ts') ? ['--import', 'tsx'] : [] })
}

/** Runs `bench/<name>.ts` in a child process, sends it `order`, and returns its one answer. */
export function runApart<T>(name: string, order: object, onNote?: (note: string) => void): Promise<T> {
  return startApart<T>(name, order, onNote).answer
}

/** A child process that runs until it is told to stop. */
export interface Apart<T> {
  answer: Promise<T>
  tell(word: string): void
}

/** Like {@link runApart}. The child receives each word of `tell` as a message. */
export function startApart<T>(
  name: string,
  order: object,
  onNote: (note: string) => void = () => {},
): Apart<T> {
  const child = forkModule(name, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  async function listen(): Promise<T> {
    const result = await new Promise<T>((resolve, reject) => {
      child.on('message', (message: { note: string } | { answer: T }) => {
        if ('note' in message) onNote(message.note)
        else resolve(message.answer)
      })
      child.once('exit', (code) => reject(new Error(`bench/${name}.ts exited with ${code} and no answer`)))
    })
    child.disconnect()
    await exited
    return result
  }
  child.send(order)
  return {
    answer: listen(),
    tell(word) {
      if (child.connected) child.send(word)
    },
  }
}

/** The child's side of {@link runApart}. */
export function serveApart<Order, T>(
  act: (order: Order, note: (note: string) => void) => Promise<T> | T,
): void {
  process.once('message', (order: Order) => {
    void (async () => {
      const answer = await act(order, (note) => process.send!({ note }))
      process.send!({ answer })
    })()
  })
}

/** CPU seconds of every thread of a process, by thread id. Linux only; empty elsewhere. */
export function threadSeconds(pid: number): Map<number, number> {
  const seconds = new Map<number, number>()
  const folder = `/proc/${pid}/task`
  if (process.platform !== 'linux') return seconds
  for (const tid of readdirSync(folder)) {
    // The name in parentheses may contain anything, so fields are counted after it. Fields 14 and 15 are
    // the ticks in user and kernel mode, 100 per second.
    const stat = readFileSync(`${folder}/${tid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    seconds.set(Number(tid), (Number(fields[11]) + Number(fields[12])) / 100)
  }
  return seconds
}

/** CPU seconds that the whole machine has been busy. */
export function machineSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1_000
}

/**
 * Resident MiB of a process now (`VmRSS`) or at its peak (`VmHWM`).
 * Linux only; 0 elsewhere and after it has exited.
 */
export function residentMib(pid: number, which: 'VmRSS' | 'VmHWM'): number {
  const path = `/proc/${pid}/status`
  const status = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) / 1_024
}

/** Open files of a process. Linux only; 0 elsewhere and after it has exited. */
export function openFiles(pid: number): number {
  const path = `/proc/${pid}/fd`
  return existsSync(path) ? readdirSync(path).length : 0
}

/** Resets this process's peak memory (`VmHWM`) to its current memory. */
export function forgetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5')
}
