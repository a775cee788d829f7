/**
 * JSON whose numbers keep the digits they were sent with. A double holds 15 to 17 digits: `JSON.parse` makes 9007199254740992 of
 * 9007199254740993. Everything else is as `JSON.parse` and `JSON.stringify` have it: of a key that occurs twice the last value wins.
 */

/** A number that a double would write in another way. */
export class ExactNumber {
  /** As it was sent; valid JSON, and within the range of a double. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * Where a number may begin that has 16 digits or more, an exponent, a zero at its end, a sign before its zero, or seven zeros at its
 * beginning: all that `JSON.stringify` would write in another way. What stands in strings is found too: a suspicion, and cheap.
 */
const ODD_NUMBER = /(?:^|[:,[])\s*-?(?:\d[\d.]{15}|\d+(?:\.\d+)?[eE]|\d+\.\d*0(?!\d)|0\.0{6})|-0(?![.\d])/

/**
 * Reads JSON, numbers exactly.
 * @returns what `JSON.parse` would, but {@link ExactNumber} where a double would change the digits
 * @throws {SyntaxError} whose message may quote the text
 */
export function parseExactJson(text: string): unknown {
  return ODD_NUMBER.test(text) ? new Reader(text).read() : JSON.parse(text)
}

/**
 * Writes JSON. Takes what {@link parseExactJson} gives, and whole numbers as bigint.
 * @param step indentation of each level; none for one line
 * @param margin indentation of the value itself
 */
export function writeExactJson(value: unknown, step = '', margin = ''): string {
  const out: string[] = []
  write(value, step, margin, out)
  return out.join('')
}

/** Adds to the parts: to join them at each level would copy the innermost as often as it is nested. */
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

/** @param members values of an array, or keys and values of an object */
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

/** `object[key] = value` with the key `__proto__` would set the prototype. */
export function define(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  } else object[key] = value
}

/** No white space of JSON has a higher code. */
const SPACE_CODE = 0x20
const SPACE = /[ \t\n\r]*/y
const BACKSLASH = 0x5c
// oxlint-disable-next-line no-control-regex -- JSON allows none of them in a string
const NOT_PLAIN = /[\x00-\x1f\\]/
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERAL = /true|false|null/y
const LITERALS: Readonly<Record<string, unknown>> = { true: true, false: false, null: null }

type Container = { array: unknown[] } | { object: Record<string, unknown>; key: string }

/** Reads one JSON text. Containers are kept on a stack of its own, so that no nesting exhausts that of the engine. */
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

  /** A whole value, or {@link OPENED} where an array or object with members begins. */
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

  /** A pattern for a whole string would exhaust the stack of the pattern matcher where the string is long. */
  #string(): string {
    const start = this.#at
    if (this.#text[start] !== '"') throw this.#fault()
    let end = this.#text.indexOf('"', start + 1)
    while (end !== -1 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1)
    if (end === -1) throw this.#fault()
    this.#at = end + 1
    const plain = this.#text.slice(start + 1, end)
    return NOT_PLAIN.test(plain) ? (JSON.parse(this.#text.slice(start, end + 1)) as string) : plain
  }

  /** Whether an odd number of backslashes stands before it. */
  #isEscaped(at: number): boolean {
    let first = at
    while (this.#text.charCodeAt(first - 1) === BACKSLASH) first -= 1
    return (at - first) % 2 === 1
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
    return new SyntaxError(`no JSON at character ${this.#at}`)
  }
}

const OPENED = Symbol('an array or object began')
