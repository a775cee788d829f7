import { execFileSync } from 'node:child_process'
import { copyFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { buildProgram } from '../../src/build/build.ts'
import { ROOT } from './root.ts'

/** Names the folder into which tests/run.js has compiled the project; not set where a test file is run by itself. */
export const BUILD_VARIABLE = 'FROSTLINE_TEST_BUILD'

/**
 * Compiles the project and its tests into a folder, a file for each of their modules; what runs as a process or a thread is the built program.
 * Such a process starts in a third of the time that one from sources takes, and they are started here by the hundred.
 * Types are not checked: `npm run check` does that.
 */
export async function buildInto(folder: string): Promise<void> {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const out = join(folder, 'dist')
  execFileSync(process.execPath, [tsc, '-p', join(ROOT, 'tests/tsconfig.compiled.json'), '--outDir', out], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  await buildProgram(out)
  // What the package has beside it when it is installed.
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
}

/**
 * A compiled module of the project.
 * @param path relative to the project, such as `src/cli/main.ts`
 */
export function builtPath(folder: string, path: string): string {
  return join(folder, 'dist', path.replace(/\.ts$/, '.js'))
}

/** The compiled command line: that of this test run, or one made in a folder of the caller's. */
export async function compiledCli(folder: string): Promise<string> {
  const shared = process.env[BUILD_VARIABLE]
  if (shared === undefined) await buildInto(folder)
  return builtPath(shared ?? folder, 'src/cli/main.ts')
}

/**
 * What node runs for a module of the project: compiled if it is, and its source otherwise.
 * @param path as for {@link builtPath}
 */
export function programOf(path: string): string[] {
  const build = process.env[BUILD_VARIABLE]
  return build === undefined
    ? ['--import', import.meta.resolve('tsx'), join(ROOT, path)]
    : [builtPath(build, path)]
}
