import { parseArgs } from 'node:util'
import { describeVerdict, runKillLoop } from './kill-loop.ts'

/** `npm run torture -- [--kills N] [--minutes M] [--seed S]`: ends with whichever comes first, and with one line. Exit 1 if a promise was broken. */

const USAGE = 'usage: npm run torture -- [--kills N] [--minutes M] [--seed S]'

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new TypeError(`${text} is not a positive number`)
  return value
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '5000' },
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(1 + (Date.now() % 1_000_000)) },
    },
  })
  return { kills: positive(values.kills), minutes: positive(values.minutes), seed: positive(values.seed) }
}

let options
try {
  options = readArguments()
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`)
  process.exit(2)
}
console.error(`seed ${options.seed}`)
const verdict = await runKillLoop({ ...options, onProgress: (line) => console.error(line) })
console.log(describeVerdict(verdict, options.seed))
if (verdict.findings.length > 0) {
  for (const finding of verdict.findings.slice(0, 10)) console.error(finding.slice(0, 500))
  console.error(`everything is kept in ${verdict.folder}`)
  process.exitCode = 1
}
