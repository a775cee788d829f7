import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/**
 * Compiles the project into a folder of its own and returns the path of the command line. A compiled process starts in half of
 * the time that one from sources takes, and processes are started here by the hundred.
 */
export function buildInto(folder: string): string {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const out = join(folder, 'dist')
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', out])
  const page = 'src/openapi/page'
  cpSync(join(ROOT, page), join(out, page), { recursive: true })
  // What the package has beside it when it is installed.
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return join(out, 'src/cli/main.js')
}
