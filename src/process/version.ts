import { readFileSync } from 'node:fs'

/** The version of the package. */
export function readVersion(): string {
  // This file runs from src in development and from dist/src in the built package.
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version
    } catch {
      continue
    }
  }
  return 'unknown'
}
