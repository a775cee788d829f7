import { isUtf8 } from 'node:buffer'
import type { FieldError } from '../problem/problem.ts'
import { RECORD_BYTES_MAX } from './csv-scanner.ts'
import { BODY_DEPTH_MAX, NestedTooDeep, parseJson } from './nesting.ts'

/** Reads NDJSON from posted bodies and imported files. An unreadable line does not affect its neighbours. */

/** One line that is not blank. */
export class NdjsonLine {
  /** Line number, from 1. */
  readonly number: number
  readonly #bytes: Buffer
  readonly #is_long: boolean

  constructor(number: number, bytes: Buffer, is_long: boolean) {
    this.number = number
    this.#bytes = bytes
    this.#is_long = is_long
  }

  /**
   * The line without leading white space and its line end; at most {@link RECORD_BYTES_MAX} bytes of it.
   * Invalid UTF-8 is replaced by U+FFFD. Call it before the piece that the line came from is overwritten.
   */
  text(): string {
    return this.#bytes.toString('utf8')
  }

  /** Parses the line. @returns the value, which the schema has not validated yet; or the error */
  read(): { value: unknown } | { error: FieldError } {
    if (this.#is_long) return this.#fault(`longer than ${RECORD_BYTES_MAX} bytes`)
    if (!isUtf8(this.#bytes)) return this.#fault('not valid UTF-8')
    try {
      return { value: parseJson(this.text(), BODY_DEPTH_MAX) }
    } catch (error) {
      return this.#fault(error instanceof NestedTooDeep ? 'nested too deep' : 'not JSON')
    }
  }

  #fault(what: string): { error: FieldError } {
    return { error: { path: '', message: `line ${this.number} is ${what}` } }
  }
}

const NEWLINE = 0x0a
const CR = 0x0d
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const NOTHING = Buffer.alloc(0)

/** Splits a text into lines, in linear time. Buffers at most one line and one piece. */
export class NdjsonScanner {
  /** The incomplete line, without leading white space. */
  #rest: Buffer = NOTHING
  #number = 1
  #began = false
  /** Inside an overlong line that was already passed on. */
  #skipping = false

  /**
   * Scans the next piece of the text and passes each line that ends in it to `take`, except blank lines.
   * An overlong line is passed as soon as it exceeds the limit.
   * @param last whether this is the last piece
   */
  push(piece: Uint8Array, last: boolean, take: (line: NdjsonLine) => void): void {
    const added = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    const text = this.#rest.length === 0 ? added : Buffer.concat([this.#rest, added])
    let at = 0
    if (!this.#began && (last || text.length >= BYTE_ORDER_MARK.length)) {
      this.#began = true
      if (text.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) at = BYTE_ORDER_MARK.length
    }
    while (this.#began && at < text.length) {
      const byte = text[at]!
      if (byte === NEWLINE) {
        this.#number += 1
        this.#skipping = false
        at += 1
      } else if (this.#skipping) {
        const newline = text.indexOf(NEWLINE, at)
        at = newline === -1 ? text.length : newline
      } else if (isBlank(byte)) at += 1
      else {
        const newline = text.indexOf(NEWLINE, at)
        const end = newline === -1 ? text.length : newline
        const is_long = end - at > RECORD_BYTES_MAX
        if (newline === -1 && !last && !is_long) break
        const kept = is_long ? at + RECORD_BYTES_MAX : text[end - 1] === CR ? end - 1 : end
        take(new NdjsonLine(this.#number, text.subarray(at, kept), is_long))
        this.#skipping = is_long
        at = end
      }
    }
    // Copied, because the caller may overwrite the piece.
    this.#rest = Buffer.from(text.subarray(at))
  }
}

/** JSON white space other than LF. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === CR || byte === 0x09
}
