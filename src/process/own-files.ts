/**
 * Addresses of the program's own files, from sources (`.ts`, run by tsx) or from the built package (`.js`).
 * In the package this module is part of a file that also lies one folder below `src`.
 */

const SOURCES = import.meta.url.endsWith('.ts')

/** Whether the program runs from its sources. */
export function runsFromSources(): boolean {
  return SOURCES
}

/** @param path below `src`, such as `http/page/index.html` */
export function ownFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url)
}

/**
 * A module that runs as a process or thread of its own; all of them are listed in `build/build.ts`.
 * @param name path below `src` without extension, such as `cli/main`
 */
export function ownModule(name: string): URL {
  return ownFile(name + (SOURCES ? '.ts' : '.js'))
}
