import { Worker } from 'node:worker_threads'
import { ownModule, runsFromSources } from './own-files.ts'

/**
 * Starts a module in a worker thread.
 * @param name as for {@link ownModule}
 */
export function startThread(name: string, workerData: unknown): Worker {
  const module = ownModule(name)
  if (!runsFromSources()) return new Worker(module, { workerData })
  // On Node 20 a thread does not inherit tsx's loader, so the thread registers it first.
  const bootstrap = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))})
    .then(({ register }) => { register(); return import(${JSON.stringify(module.href)}) })`
  return new Worker(bootstrap, { eval: true, workerData })
}
