import { join } from 'node:path'

/** The folder of the project: working directory of every process that a test starts. */
export const ROOT = join(import.meta.dirname, '../..')
