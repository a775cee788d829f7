/**
 * JSON parser and writer that keep the digits of numbers. A double holds 15 to 17 digits: `JSON.parse` turns 9007199254740993 into
 * 9007199254740992. Otherwise they work like `JSON.parse` and `JSON.stringify`. If a key occurs twice, the last value wins.
 */

/** A number that `JSON.stringify` would write differently. */
export class ExactNumber {
  /** The number as sent. It is valid JSON and within the range of a double. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A number of so many characters may have more digits than a double keeps. */
const DIGITS_MAX = 15

/**
 * Whether a JSON text has a number that `JSON.stringify` may write differently: with more than 15 digits, an exponent, a zero at the
 * end of a fraction or many at its begin, or `-0`. Takes one pass; of a text that is no JSON the answer says nothing.
 */
function hasOddNumber(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      if (at === -1) return false
    } else if (isNumeric(code)) {
      const start = at
      while (isNumeric(text.charCodeAt(at + 1))) at += 1
      if (isOddNumber(text, start, at + 1)) return true
    }
  }
  return false
}

const QUOTE = 0x22
const MINUS = 0x2d
const POINT = 0x2e
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** A digit, `-`, `+`, `.`, `e` or `E`. Of the literals it also takes the last letter of `true` and `false`. */
function isNumeric(code: number): boolean {
  return (
    (code >= DIGIT_0 && code <= DIGIT_9) ||
    code === MINUS ||
    code === POINT ||
    code === 0x2b ||
    (code | 0x20) === 0x65
  )
}

function isOddNumber(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start)
  // The last letter of a literal.
  if (end - start === 1) return false
  const digits = first === MINUS ? start + 1 : start
  if (end - digits > DIGITS_MAX) return true
  let point = -1
  for (let at = digits; at < end; at += 1) {
    const code = text.charCodeAt(at)
    if (code === POINT) point = at
    else if (code < DIGIT_0 || code > DIGIT_9) return true
  }
  if (point === -1) return end - digits === 1 && first === MINUS && text.charCodeAt(digits) === DIGIT_0
  return text.charCodeAt(end - 1) === DIGIT_0 || text.startsWith('0.000000', digits)
}

/**
 * Parses JSON and keeps the digits of numbers.
 * @returns the result of `JSON.parse`, with {@link ExactNumber} for numbers that `JSON.stringify` would write differently
 * @throws {SyntaxError} its message may quote the text
 */
export function parseExactJson(text: string): unknown {
  return hasOddNumber(text) ? new Reader(text).read() : JSON.parse(text)
}

/**
 * Serializes a value. Accepts what {@link parseExactJson} returns, and bigint.
 * @param step indentation of each level; '' writes one line
 * @param margin indentation of the value itself
 */
export function writeExactJson(value: unknown, step = '', margin = ''): string {
  const out: string[] = []
  write(value, step, margin, out)
  return out.join('')
}

/** Appends the parts to `out`. Joining them at each level would copy a nested value once per level. */
function write(value: unknown, step: string, margin: string, out: string[]): void {
  if (value instanceof ExactNumber) out.push(value.text)
  else if (typeof value === 'bigint') out.push(String(value))
  else if (typeof value !== 'object' || value === null) out.push(JSON.stringify(value) ?? 'null')
  else if (Array.isArray(value)) writeMembers('[', value, ']', step, margin, out)
  else {
    const members = Object.entries(value).filter(([, part]) => part !== undefined)
    writeMembers('{', members, '}', step, margin, out)
  }
}

/** @param members values of an array, or [key, value] pairs of an object */
function writeMembers(
  open: '[' | '{',
  members: readonly unknown[],
  close: ']' | '}',
  step: string,
  margin: string,
  out: string[],
): void {
  const inner = margin + step
  const [first, between, last] = step === '' ? ['', ',', ''] : [`\n${inner}`, `,\n${inner}`, `\n${margin}`]
  out.push(open)
  for (const [n, member] of members.entries()) {
    out.push(n === 0 ? first! : between!)
    if (open === '[') write(member, step, inner, out)
    else {
      const [key, part] = member as [string, unknown]
      out.push(JSON.stringify(key), step === '' ? ':' : ': ')
      write(part, step, inner, out)
    }
  }
  if (members.length > 0) out.push(last!)
  out.push(close)
}

/** Sets `object[key]` to `value`. A plain assignment to `__proto__` would set the prototype. */
export function define(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else object[key] = value
}

/**
 * Searches for the closing quote. A regular expression for a whole string overflows its stack on long strings.
 * @param start of the opening quote
 * @returns -1 if there is none
 */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** Whether an odd number of backslashes precedes the character. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1
  return (at - first) % 2 === 1
}

/** The highest character code of JSON white space. */
const SPACE_CODE = 0x20
const SPACE = /[ \t\n\r]*/y
const BACKSLASH = 0x5c
// oxlint-disable-next-line no-control-regex -- JSON strings must escape control characters
const NOT_PLAIN = /[\x00-\x1f\\]/
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERAL = /true|false|null/y
const LITERALS: Readonly<Record<string, unknown>> = { true: true, false: false, null: null }

type Container = { array: unknown[] } | { object: Record<string, unknown>; key: string }

/** Parses one JSON text. It keeps open containers on its own stack, so deep nesting cannot overflow the call stack. */
class Reader {
  readonly #text: string
  #at = 0
  readonly #open: Container[] = []

  constructor(text: string) {
    this.#text = text
  }

  read(): unknown {
    for (;;) {
      let value = this.#value()
      if (value === OPENED) continue
      for (;;) {
        const container = this.#open.at(-1)
        if (container === undefined) {
          this.#skip()
          if (this.#at < this.#text.length) throw this.#fault()
          return value
        }
        if ('array' in container) container.array.push(value)
        else define(container.object, container.key, value)
        const next = this.#punctuation()
        if (next === ',') {
          if ('object' in container) container.key = this.#key()
          break
        }
        if (next !== ('array' in container ? ']' : '}')) throw this.#fault()
        this.#open.pop()
        value = 'array' in container ? container.array : container.object
      }
    }
  }

  /** Reads a value. @returns {@link OPENED} if it is the start of an array or object with members */
  #value(): unknown {
    this.#skip()
    const first = this.#text[this.#at]
    if (first === '"') return this.#string()
    if (first === '{') {
      this.#at += 1
      if (this.#closes('}')) return {}
      this.#open.push({ object: {}, key: this.#key() })
      return OPENED
    }
    if (first === '[') {
      this.#at += 1
      if (this.#closes(']')) return []
      this.#open.push({ array: [] })
      return OPENED
    }
    if (first === 't' || first === 'f' || first === 'n') {
      const literal = this.#match(LITERAL)
      if (literal === null) throw this.#fault()
      return LITERALS[literal]
    }
    const number = this.#match(NUMBER)
    if (number === null) throw this.#fault()
    const double = Number(number)
    return JSON.stringify(double) === number || !Number.isFinite(double) ? double : new ExactNumber(number)
  }

  #key(): string {
    this.#skip()
    const key = this.#string()
    if (this.#punctuation() !== ':') throw this.#fault()
    return key
  }

  #string(): string {
    const start = this.#at
    if (this.#text.charCodeAt(start) !== QUOTE) throw this.#fault()
    const end = endOfString(this.#text, start)
    if (end === -1) throw this.#fault()
    this.#at = end + 1
    const plain = this.#text.slice(start + 1, end)
    return NOT_PLAIN.test(plain) ? (JSON.parse(this.#text.slice(start, end + 1)) as string) : plain
  }

  #punctuation(): string | undefined {
    this.#skip()
    this.#at += 1
    return this.#text[this.#at - 1]
  }

  #closes(bracket: string): boolean {
    this.#skip()
    if (this.#text[this.#at] !== bracket) return false
    this.#at += 1
    return true
  }

  #skip(): void {
    if (this.#text.charCodeAt(this.#at) <= SPACE_CODE) this.#match(SPACE)
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#text)) return null
    const start = this.#at
    this.#at = pattern.lastIndex
    return this.#text.slice(start, this.#at)
  }

  #fault(): SyntaxError {
    return new SyntaxError(`invalid JSON at character ${this.#at}`)
  }
}

const OPENED = Symbol('an array or object began')
