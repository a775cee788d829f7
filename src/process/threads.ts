import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

/** Starting a module of ours in a thread or process of its own, from sources (`.ts`, run by tsx) and from the built package (`.js`). */

/** The neighbour has whatever ending the caller has. */
function neighbour(from: string, name: string): URL {
  return new URL(name + (from.endsWith('.ts') ? '.ts' : '.js'), from)
}

/**
 * The path of a module, to be run as a process.
 * @param from the caller's `import.meta.url`
 * @param name path relative to the caller, without its ending, such as `../cli/main`
 */
export function modulePath(from: string, name: string): string {
  return fileURLToPath(neighbour(from, name))
}

/** Starts a module as a thread. Parameters as for {@link modulePath}. */
export function startThread(from: string, name: string, workerData: unknown): Worker {
  const module = neighbour(from, name)
  if (!module.pathname.endsWith('.ts')) return new Worker(module, { workerData })
  // A thread does not inherit tsx's loader on Node 20, so it is registered there first.
  const bootstrap = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
    .then(({ register }) => { register(); return import(${JSON.stringify(module.href)}) })`
  return new Worker(bootstrap, { eval: true, workerData })
}
