import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/root.ts'

/** Reads the project's Markdown: pages, sections, tables, code. */

/** Not the project's own text; of data/, git keeps one page. */
const SKIPPED = ['node_modules', 'dist', 'data', 'results', '.git']

/** Paths of all pages, relative to the project. */
export const PAGES: readonly string[] = ['data/README.md', ...pagesIn('')].toSorted()

function pagesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.includes(entry.name) ? [] : pagesIn(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

export function readPage(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** A page's text from one heading to the next of the same or a higher level. */
export function sectionOf(path: string, heading: string): string {
  const page = readPage(path)
  const start = page.indexOf(`${heading}\n`)
  assert.notEqual(start, -1, `${path} has no ${heading}`)
  const level = heading.split(' ')[0]!.length
  const end = page.slice(start + heading.length).search(new RegExp(`^#{1,${level}} `, 'm'))
  return end === -1 ? page.slice(start) : page.slice(start, start + heading.length + end)
}

/** Cells of a table's rows whose first cell is code. */
export function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** A cell without its backticks. */
export function plain(cell: string): string {
  return cell.replaceAll('`', '')
}

const FENCED = /^```(\w*)\n([\s\S]*?)^```$/gm

/** The fenced code blocks of a language. */
export function blocksOf(page: string, language: string): string[] {
  return [...page.matchAll(FENCED)].filter(([, name]) => name === language).map(([, , text]) => text!)
}

/** A page without its fenced code blocks. */
export function proseOf(page: string): string {
  return page.replaceAll(FENCED, '')
}
