import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { untilReady } from '../../support/store.ts'

/** The processes of one store: a service that comes and goes, and jobs beside it. */
export interface Fleet {
  launch(args: readonly string[], env?: Record<string, string>): ChildProcess
  /** Starts the service; what waits for its address goes on once it is ready. */
  serve(): ChildProcess
  /** Where the service answers. Waits while there is none. */
  address(): Promise<string>
  /** What the processes said, and what was done to them. */
  readonly log: string[]
  /** Ends what still runs. */
  end(): Promise<void>
}

export function createFleet(cli: string, data_dir: string): Fleet {
  const base = { DATA_DIR: data_dir, PORT: '0', COMPACT_CRON: 'off', HOT_DAYS: '0', LOG_LEVEL: 'info' }
  const children = new Set<ChildProcess>()
  const log: string[] = []
  const changes = new EventEmitter()
  changes.setMaxListeners(0)
  const service: { url: string | null } = { url: null }

  function launch(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
    const child = spawn(process.execPath, [cli, ...args], {
      env: { ...process.env, ...base, JOB_MEMORY_MB: '512', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.add(child)
    child.once('exit', () => children.delete(child))
    child.stderr!.on('data', (data: Buffer) => log.push(data.toString().trimEnd()))
    return child
  }

  return {
    log,
    launch,
    serve() {
      const child = launch(['serve'])
      createInterface({ input: child.stdout! }).on('line', (line) => {
        if (!line.includes('"listening"')) return
        const here = (JSON.parse(line) as { url: string }).url
        untilReady(here).then(
          () => {
            if (!children.has(child)) return
            service.url = here
            changes.emit('up')
          },
          // It was killed before it was ready.
          () => {},
        )
      })
      child.once('exit', () => {
        service.url = null
      })
      return child
    },
    async address() {
      while (service.url === null) await once(changes, 'up')
      return service.url
    },
    async end() {
      const ended = [...children].map((child) => once(child, 'exit'))
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(ended)
    },
  }
}
