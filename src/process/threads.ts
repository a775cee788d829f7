import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

/**
 * Starts a module in a thread or process, from sources (`.ts`,
 * run by tsx) or from the built package (`.js`).
 */

/** The module has the same extension as its caller. */
function moduleUrl(from: string, name: string): URL {
  return new URL(name + (from.endsWith('.ts') ? '.ts' : '.js'), from)
}

/**
 * Returns the path of a module that is to run as a process.
 * @param from the caller's `import.meta.url`
 * @param name path relative to the caller without extension, such as `../cli/main`
 */
export function modulePath(from: string, name: string): string {
  return fileURLToPath(moduleUrl(from, name))
}

/** Starts a module in a worker thread. Parameters as for {@link modulePath}. */
export function startThread(from: string, name: string, workerData: unknown): Worker {
  const module = moduleUrl(from, name)
  if (!module.pathname.endsWith('.ts')) return new Worker(module, { workerData })
  // On Node 20 a thread does not inherit tsx's loader, so the thread registers it first.
  const bootstrap = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
    .then(({ register }) => { register(); return import(${JSON.stringify(module.href)}) })`
  return new Worker(bootstrap, { eval: true, workerData })
}
