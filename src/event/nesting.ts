import { parseExactJson } from './json.ts'

/**
 * Protects the parser from input that cannot be an event. JSON.parse does not overflow the stack, but 32
 * MiB of `[` takes ten seconds and a gigabyte. The depth of valid events is limited in event.ts.
 */
export const BODY_DEPTH_MAX = 1_000

/**
 * Up to this many brackets are parsed in a fraction of a second at any depth. Measuring the depth costs a
 * third of parsing, so it is done only above this number; a batch of 100,000 ordinary events has 200,001.
 */
export const BRACKETS_UNCHECKED_MAX = 512 * 1024

export class NestedTooDeep extends Error {
  override name = 'NestedTooDeep'

  constructor() {
    super(`It is nested deeper than ${BODY_DEPTH_MAX} levels.`)
  }
}

/**
 * JSON for text that may have been made to hurt.
 * @param unchecked_max the brackets that are too few to hurt; smaller where a body has many such texts
 * @throws {NestedTooDeep}
 * @throws {SyntaxError} its message quotes the text, so do not show it
 */
export function parseJson(text: string, unchecked_max = BRACKETS_UNCHECKED_MAX): unknown {
  if (opensMoreThan(text, unchecked_max) && nestsDeeperThan(text, BODY_DEPTH_MAX)) throw new NestedTooDeep()
  return parseExactJson(text)
}

/** A cheap upper bound: it also counts brackets inside strings. */
function opensMoreThan(text: string, max: number): boolean {
  if (text.length <= max) return false
  let count = 0
  for (const open of ['[', '{']) {
    for (let at = text.indexOf(open); at !== -1; at = text.indexOf(open, at + 1)) {
      count += 1
      if (count > max) return true
    }
  }
  return false
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** The only bit in which `[` and `{`, and `]` and `}`, differ. */
const BRACE_BIT = 0x20
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

function nestsDeeperThan(text: string, depth_max: number): boolean {
  let depth = 0
  let within_string = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (within_string) {
      if (code === BACKSLASH) at += 1
      else if (code === QUOTE) within_string = false
    } else if (code === QUOTE) within_string = true
    else if ((code | BRACE_BIT) === OPEN_BRACE) {
      depth += 1
      if (depth > depth_max) return true
    } else if ((code | BRACE_BIT) === CLOSE_BRACE) depth -= 1
  }
  return false
}
