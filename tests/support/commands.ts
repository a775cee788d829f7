import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { programOf } from './build.ts'
import { ROOT } from './root.ts'

/** What a process printed, and how it ended. */
export interface Run {
  code: number | null
  stdout: string
  stderr: string
}

/**
 * Commands of the program in a process that is shared: to start one takes ten times as long as what most commands do. Commands at the same
 * moment are still in processes of their own, each of which is there for the next command too.
 */

/** What a worker is sent. */
export interface Command {
  args: readonly string[]
  env: Record<string, string>
  input: string | undefined
  /** Ends what it prints. */
  end: string
}

interface Worker {
  child: ChildProcess
  stdout: string
  stderr: string
  /** Whether the process runs a command, or its test would wait for it. */
  hold(held: boolean): void
}

/** Processes that wait for a command. */
const idle: Worker[] = []

/** @param onStart is told the process that runs it, which may be killed */
export function runCommand(
  args: readonly string[],
  env: Record<string, string>,
  input: string | undefined,
  onStart: (child: ChildProcess) => void,
): Promise<Run> {
  const worker = idle.pop() ?? startWorker()
  const { child } = worker
  worker.stdout = ''
  worker.stderr = ''
  worker.hold(true)
  onStart(child)
  const end = `\n${randomUUID()}\n`
  return new Promise((resolve) => {
    const look = () => {
      if (!worker.stdout.endsWith(end) || !worker.stderr.endsWith(end)) return
      stopLooking()
      worker.hold(false)
      idle.push(worker)
      const [, stdout, code] = /^([^]*?)(\d+)$/.exec(worker.stdout.slice(0, -end.length))!
      resolve({ code: Number(code), stdout: stdout!, stderr: worker.stderr.slice(0, -end.length) })
    }
    // It was killed, or a command took its process with it.
    const fail = (code: number | null) => {
      stopLooking()
      resolve({ code, stdout: worker.stdout, stderr: worker.stderr })
    }
    const stopLooking = () => {
      for (const stream of [child.stdout!, child.stderr!]) stream.off('data', look)
      child.off('close', fail)
    }
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', look)
    child.on('close', fail)
    child.send({ args, env, input, end } satisfies Command)
  })
}

function startWorker(): Worker {
  const child = spawn(process.execPath, programOf('tests/support/command-worker.ts'), {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const worker: Worker = {
    child,
    stdout: '',
    stderr: '',
    hold(held) {
      for (const handle of [child, child.channel!, child.stdout as Socket, child.stderr as Socket]) {
        if (held) handle.ref()
        else handle.unref()
      }
    },
  }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      worker[name] += text
    })
  }
  child.once('exit', () => {
    const at = idle.indexOf(worker)
    if (at >= 0) idle.splice(at, 1)
  })
  return worker
}
