import { parseExactJson } from './json.ts'

/**
 * Limit of the nesting of a body, in levels. It protects the parser: 32 MiB of `[` does not overflow the
 * stack of `JSON.parse`, but takes ten seconds and 1 GB of memory. event.ts has the limit for properties.
 */
export const BODY_DEPTH_MAX = 1_000

/**
 * Up to this many opening brackets, the depth is not checked: such a text is parsed in a fraction of a
 * second at any depth, and the check costs a third of parsing. A batch of 100,000 ordinary events has
 * 200,001 opening brackets.
 */
export const BRACKETS_UNCHECKED_MAX = 512 * 1024

/** A text is nested deeper than {@link BODY_DEPTH_MAX} levels. */
export class NestedTooDeep extends Error {
  override name = 'NestedTooDeep'

  constructor() {
    super(`It is nested deeper than ${BODY_DEPTH_MAX} levels.`)
  }
}

/**
 * Parses JSON from an untrusted client, like {@link parseExactJson}.
 * @param unchecked_max opening brackets up to which the depth is not checked; lower if a body has many texts
 * @throws {NestedTooDeep} if the depth was checked and is over the limit
 * @throws {SyntaxError} its message may quote the text, so do not show it to clients
 */
export function parseJson(text: string, unchecked_max = BRACKETS_UNCHECKED_MAX): unknown {
  if (opensMoreThan(text, unchecked_max) && nestsDeeperThan(text, BODY_DEPTH_MAX)) throw new NestedTooDeep()
  return parseExactJson(text)
}

/** Whether there may be more opening brackets than `max`. Those inside strings count too, which makes it cheap. */
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
