import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { programOf } from './build.ts'
import { runCommand } from './commands.ts'
import type { Run } from './commands.ts'
import type { SampleEvent } from './sample.ts'
import { ROOT } from './root.ts'
import { createLines } from './log-lines.ts'
import type { Logging } from './log-lines.ts'

/** Real stores, real processes: what black-box tests drive. */

const CLI = 'src/cli/main.ts'

type Env = Record<string, string>

export type { Run }

export interface ServiceProcess extends Logging {
  url: string
  pid: number
  child: ChildProcess
  /** Ends it in good order; resolves with its exit code. */
  stop(): Promise<number | null>
  kill(): Promise<void>
}

export interface TestStore {
  dir: string
  data_dir: string
  env: Record<string, string>
  /** Starts `frostline serve` on a free port and waits until it is ready. */
  serve(env?: Record<string, string>): Promise<ServiceProcess>
  /** Runs a command to its end, with this on its stdin; in a process of its own only where it matters. */
  cli(args: readonly string[], env?: Record<string, string>, input?: string): Promise<Run>
  /** Runs another script of the project to its end. */
  script(path: string, args: readonly string[], env?: Record<string, string>): Promise<Run>
  /** Starts a command and does not wait; with `open`, its stdin is the caller's to write. */
  start(args: readonly string[], env?: Record<string, string>, stdin?: 'open'): ChildProcess
  /** Ends what still runs and deletes everything. */
  remove(): Promise<void>
}

/** @param data_dir the store's folder, if it is that of another one, which deletes it */
export function createTestStore(data_dir?: string): TestStore {
  const dir = mkdtempSync(join(tmpdir(), 'frostline-'))
  data_dir ??= join(dir, 'store')
  const base = { DATA_DIR: data_dir, PORT: '0', COMPACT_CRON: 'off', LOG_LEVEL: 'info' }
  const children = new Set<ChildProcess>()

  function launch(
    script: string,
    args: readonly string[],
    env: Record<string, string> = {},
    input?: string | null,
  ): ChildProcess {
    const child = spawn(process.execPath, [...programOf(script), ...args], {
      cwd: ROOT,
      env: { ...process.env, ...base, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    if (typeof input === 'string') child.stdin!.end(input)
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }

  const start: TestStore['start'] = (args, env, stdin) =>
    launch(CLI, args, env, stdin === undefined ? undefined : null)
  return {
    dir,
    data_dir,
    env: base,
    start,
    async serve(env) {
      const child = start(['serve'], env)
      const { log, logged, add } = createLines()
      let errors = ''
      child.stderr!.on('data', (data: Buffer) => {
        errors += data.toString()
      })
      const lines = createInterface({ input: child.stdout! })
      const url = await new Promise<string>((resolve, reject) => {
        lines.on('line', (line) => {
          add(line)
          if (line.includes('"listening"')) resolve((JSON.parse(line) as { url: string }).url)
        })
        child.once('exit', (code) =>
          reject(new Error(`serve ended with ${code}: ${errors}${log.join('\n')}`)),
        )
      })
      await untilReady(url)
      const exited = once(child, 'exit') as Promise<[number | null]>
      return {
        url,
        pid: child.pid!,
        child,
        log,
        logged,
        async stop() {
          child.kill('SIGTERM')
          return (await exited)[0]
        },
        async kill() {
          child.kill('SIGKILL')
          await exited
        },
      }
    },
    async cli(args, env = {}, input) {
      if (wantsItsProcess(args, env)) return finish(launch(CLI, args, env, input))
      let running: ChildProcess | undefined
      const run = await runCommand(args, { ...(process.env as Env), ...base, ...env }, input, (child) => {
        running = child
        children.add(child)
      })
      children.delete(running!)
      return run
    },
    script: (path, args, env) => finish(launch(path, args, env)),
    async remove() {
      const ended = [...children].map((child) => once(child, 'exit'))
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(ended)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** What is read when a process starts, and services, which do not end. */
function wantsItsProcess([name]: readonly string[], env: Env): boolean {
  return name === 'serve' || ['FROSTLINE_FAILPOINT', 'LD_PRELOAD'].some((variable) => variable in env)
}

/** What a process printed, and how it ended. */
export async function finish(child: ChildProcess): Promise<Run> {
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (data: Buffer) => {
    stdout += data.toString()
  })
  child.stderr!.on('data', (data: Buffer) => {
    stderr += data.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** Between two questions whether a service is ready: to ask without pause would take the processor from its start. */
export const ASK_AGAIN_MS = 20

/** Asks until the service says that it is ready. By one connection and without fetch, which takes more time than half of the start. */
export async function untilReady(url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  try {
    while ((await statusOf(`${url}/readyz`, agent)) !== 200) await setTimeout(ASK_AGAIN_MS)
  } finally {
    agent.destroy()
  }
}

function statusOf(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent }, (incoming) => {
      incoming.resume().once('end', () => resolve(incoming.statusCode!))
    })
    asking.once('error', reject)
    asking.end()
  })
}

/** A request whose body is JSON, and its reply. */
export async function post(
  url: string,
  body: unknown,
): Promise<{ status: number; headers: Headers; json: Record<string, unknown> }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as Record<string, unknown>,
  }
}

/** fetch fails with a TypeError when the connection breaks, which is what a kill does to it. */
export async function orNothing<T>(reply: Promise<T>): Promise<T | null> {
  try {
    return await reply
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

export async function get<T = Record<string, unknown>>(url: string): Promise<{ status: number; json: T }> {
  const response = await fetch(url)
  return { status: response.status, json: (await response.json()) as T }
}

interface Counted {
  status: number
  json: { data: { event_type: string; count: number }[]; meta: Record<string, number> }
}

/** How many events the service counts in these days, such as `from=2025-08-01&to=2025-08-31`. */
export async function countOf(url: string, range: string): Promise<number> {
  const { status, json }: Counted = await get(`${url}/stats/top-events?${range}&limit=1000`)
  assert.equal(status, 200, JSON.stringify(json))
  return json.data.reduce((n, { count }) => n + count, 0)
}

/** Posts events that are all new. */
export async function postAll(url: string, events: readonly SampleEvent[]): Promise<void> {
  const { status, json } = await post(`${url}/events`, events)
  assert.deepEqual({ status, accepted: json['accepted'] }, { status: 200, accepted: events.length })
}
