import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { ownFile } from '../process/own-files.ts'

/** Makes the package from the sources: a file for each module that runs by itself, with what it needs in it. */

/** The modules that run as processes and threads, below the project. */
export const PROGRAMS: readonly string[] = [
  'compactor/main.ts',
  'src/cli/import-events.ts',
  'src/cli/main.ts',
  'src/ingest/judge-thread.ts',
  'src/ingest/writer-thread.ts',
  'src/query/thread.ts',
]

/** Packages with machine code stay in node_modules. */
const NATIVE = ['@duckdb/node-bindings', '@node-rs/argon2', 'better-sqlite3']

/** Files that the service reads at run time, below `src`. */
const PAGES = 'http/page'

/** @param folder the built program's, such as `dist`; files of the same names are replaced */
export async function buildProgram(folder: string): Promise<void> {
  const project = fileURLToPath(ownFile('..'))
  await build({
    absWorkingDir: project,
    entryPoints: [...PROGRAMS],
    outbase: '.',
    outdir: folder,
    bundle: true,
    splitting: true,
    // One folder below `src`, as process/own-files.ts expects.
    chunkNames: 'src/shared/[name]-[hash]',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: NATIVE,
    sourcemap: true,
    sourcesContent: false,
    // Packages in CommonJS call it for node's own modules.
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    logLevel: 'warning',
  })
  cpSync(ownFile(PAGES), join(folder, 'src', PAGES), { recursive: true })
}
