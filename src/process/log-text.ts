/** Log lines for people: `12:00:01.250 INFO  listening url=http://127.0.0.1:8080`, with the stack of an error below. */

const LEVELS: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
}

interface Entry {
  level: number
  time: string
  pid: number
  msg?: string
  err?: { message: string; stack: string }
}

/** @param line of JSON, as pino writes it */
export function logText(line: string): string {
  const { level, time, pid: _, msg, err, ...fields } = JSON.parse(line) as Entry
  const told = Object.entries(fields).map(([name, value]) => ` ${name}=${writeValue(value)}`)
  const stack = err === undefined ? '' : `\n${err.stack}`
  const clock = time.slice('2026-01-01T'.length, -'Z'.length)
  return `${printable(`${clock} ${LEVELS[level]?.padEnd(5)} ${msg ?? err?.message ?? ''}${told.join('')}${stack}`)}\n`
}

function writeValue(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

/** A path can contain what a terminal would obey. */
function printable(text: string): string {
  return text.replaceAll(
    /(?!\n)\p{Cc}/gu,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
