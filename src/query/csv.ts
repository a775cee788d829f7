import { Problem } from '../problem.ts'
import type { Answer } from './answer.ts'

/**
 * Answers as CSV (RFC 4180), for spreadsheets and scripts. What a cell says is what was stored: one that begins with `=` is not defused, so import such
 * a file as text.
 */

export const CSV_TYPE = 'text/csv; charset=utf-8; header=present'

const FORMATS = ['json', 'csv'] as const
export type Format = (typeof FORMATS)[number]

/**
 * The format that a client wants; `format` goes before `Accept`, because whoever writes an address into a browser has no say in its headers.
 * @param given values of the parameter `format`
 * @throws {Problem} `invalid_parameter`
 */
export function answerFormat(given: readonly string[] | undefined, accept: string | undefined): Format {
  if (given === undefined) return prefersCsv(accept ?? '*/*') ? 'csv' : 'json'
  const format = FORMATS.find((known) => given.length === 1 && given[0] === known)
  if (format !== undefined) return format
  const message = `must be one of ${FORMATS.join(', ')}, once`
  throw new Problem('invalid_parameter', `format ${message}`, { errors: [{ path: 'format', message }] })
}

/** CSV only for those who ask for it by name: a browser and curl take anything, and get JSON. */
function prefersCsv(accept: string): boolean {
  const weights = new Map(accept.toLowerCase().split(',').map(readRange))
  const csv = weights.get('text/csv') ?? 0
  const json = weights.get('application/json') ?? 0
  return csv > 0 && csv >= json
}

/** A media range and its weight from 0 to 1. */
function readRange(range: string): [string, number] {
  const [type, ...parameters] = range.split(';').map((part) => part.trim())
  const weight = parameters.find((part) => part.startsWith('q='))
  return [type!, weight === undefined ? 1 : Number(weight.slice('q='.length)) || 0]
}

/** One line for every entry of `data`, under the names of its fields. */
export function toCsv(answer: Answer): string {
  const lines = rowsOf(answer).map((row) => row.map(quote).join(','))
  return lines.map((line) => `${line}\r\n`).join('')
}

function rowsOf(answer: Answer): (string | number)[][] {
  if ('cohort_size' in answer) {
    return [
      ['window', 'from', 'to', 'users', 'rate', 'cohort_size'],
      ...answer.data.map((d) => [d.window, d.from, d.to, d.users, d.rate, answer.cohort_size]),
    ]
  }
  if ('limit' in answer) return [['event_type', 'count'], ...answer.data.map((d) => [d.event_type, d.count])]
  return [['date', 'dau'], ...answer.data.map((d) => [d.date, d.dau])]
}

function quote(cell: string | number): string {
  const text = String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
