import { isUtf8 } from 'node:buffer'
import type { FieldError } from '../problem/problem.ts'
import { RECORD_BYTES_MAX } from './csv-scanner.ts'
import { BODY_DEPTH_MAX, NestedTooDeep, parseJson } from './nesting.ts'

/** Reads NDJSON, the same for a posted body and an imported file. An unreadable line costs itself alone. */

/** One line that is not blank. */
export class NdjsonLine {
  /** From 1. */
  readonly number: number
  readonly #bytes: Buffer
  readonly #is_long: boolean

  constructor(number: number, bytes: Buffer, is_long: boolean) {
    this.number = number
    this.#bytes = bytes
    this.#is_long = is_long
  }

  /**
   * The line without leading blanks and its line end; of a line that is too long, its beginning.
   * Bytes that are not UTF-8 are replaced by U+FFFD.
   */
  text(): string {
    return this.#bytes.toString('utf8')
  }

  /** The value of the line, not validated yet; or why it cannot be read. */
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

/** Splits a text into lines. Linear in the size of the text, and holds at most one line and one piece of it. */
export class NdjsonScanner {
  /** The line that has begun, without its leading blanks. */
  #rest: Buffer = NOTHING
  #number = 1
  #began = false
  /** Within a line that is too long and was handed over already. */
  #skipping = false

  /**
   * Takes the next piece of the text and hands over each line that ends in it, blank lines left out.
   * @param last nothing follows the piece
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
    // The piece may belong to a buffer that its owner uses again.
    this.#rest = Buffer.from(text.subarray(at))
  }
}

/** JSON whitespace within a line. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === CR || byte === 0x09
}
