import { readFileSync } from 'node:fs'
import { ownFile } from './own-files.ts'

/** The version of the package. */
export function readVersion(): string {
  // Beside src in development, and beside dist in the built package.
  for (const up of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(ownFile(up), 'utf8')) as { version: string }).version
    } catch {
      continue
    }
  }
  return 'unknown'
}
