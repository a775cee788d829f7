import { rmSync } from 'node:fs'
import { buildProgram } from './build.ts'

/** `npm run build`: the package's program, in `dist`. */
rmSync('dist', { recursive: true, force: true })
await buildProgram('dist')
