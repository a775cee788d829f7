import { join } from 'node:path'

/** Names the folder of the project where the tests run compiled, somewhere else. */
export const ROOT_VARIABLE = 'FROSTLINE_TEST_ROOT'

/** The folder of the project: working directory of every process that a test starts. */
export const ROOT = process.env[ROOT_VARIABLE] ?? join(import.meta.dirname, '../..')
