import { isUtf8 } from 'node:buffer'

/**
 * Splits CSV (RFC 4180) into records. Every byte is examined a bounded number of times, so the time is linear in the size of any input.
 * An unreadable record does not affect its neighbours. Outside quotes, LF, CRLF and any number of CR before LF end a record. A quote
 * inside an unquoted field is an ordinary character.
 */

/** One record of the text. */
export class CsvRecord {
  /** The physical line on which the record begins, from 1. */
  readonly line: number
  /** Values without quotes, at most {@link FIELDS_KEPT_MAX}. If the record has a fault, they are a best guess. */
  readonly fields: readonly string[]
  /** Number of fields, including those that were not kept. */
  readonly count: number
  /** Why the record is unreadable; null if it is readable. */
  readonly fault: string | null
  /** Bytes from the start of the whole text through the line end of this record. */
  readonly through: number
  readonly #text: Buffer
  readonly #start: number
  readonly #end: number

  constructor(
    line: number,
    fields: readonly string[],
    count: number,
    fault: string | null,
    through: number,
    text: Buffer,
    start: number,
    end: number,
  ) {
    this.line = line
    this.fields = fields
    this.count = count
    this.fault = fault
    this.through = through
    this.#text = text
    this.#start = start
    this.#end = end
  }

  /**
   * The raw record without its line end. Invalid UTF-8 is replaced by U+FFFD.
   * Call it before the piece that the record came from is overwritten.
   */
  text(): string {
    return this.#text.toString('utf8', this.#start, this.#end)
  }
}

/** Limit of a record, in bytes. A valid event is far smaller; a longer record usually has an unclosed quote. */
export const RECORD_BYTES_MAX = 1024 * 1024
/** Limit of the fields kept per record; the others are only counted. Real headers have fewer columns. */
export const FIELDS_KEPT_MAX = 256
export const DELIMITERS = [',', ';', '\t'] as const
export type Delimiter = (typeof DELIMITERS)[number]

/** Limit of the bytes of a record with a fault that are split into fields. */
const GUESSED_BYTES_MAX = 64 * 1024

const QUOTE = 0x22
const LF = 0x0a
const CR = 0x0d
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const NOTHING = Buffer.alloc(0)

const QUOTE_FAULT = 'a quoted field is not closed, or text follows its closing quote'
const LONG_FAULT = `the row is longer than ${RECORD_BYTES_MAX} bytes`
const UTF8_FAULT = 'the row is not valid UTF-8'

/** Where one record ends, as offsets in the current text. */
interface Found {
  /** The first byte after the line end. */
  next: number
  /** The first byte of the line end. */
  end: number
  fault: string | null
  /** Number of line ends through this one; 0 if an unreadable line does not end in the text. */
  lines: number
}

const INCOMPLETE = Symbol('the record continues in the next piece')

export class CsvScanner {
  /** Number of bytes examined, for tests that limit the work. */
  steps = 0
  /** The text after the last complete record. */
  #rest: Buffer = NOTHING
  /** Offset of `#rest` in the whole text. */
  #offset = 0
  #line = 1
  #began = false
  /**
   * Offset in the whole text before which a line end inside quotes is a fault. It is set to the byte where the scanner detects an unclosed
   * quote. The scanner then goes back to the line after that quote. Without this limit, each of the lines up to the offset could scan
   * to the same byte again, in quadratic time.
   */
  #single_lines_until = 0
  /** Inside an overlong line that was already reported. */
  #skipping = false
  readonly #delimiter: number
  /** Start and end of each field in the current record. The start is complemented (`~`) if the field has doubled quotes. */
  readonly #ranges: number[] = []
  #count = 0

  constructor(delimiter: Delimiter = ',') {
    this.#delimiter = delimiter.charCodeAt(0)
  }

  /**
   * Scans the next piece of the text and passes each record that ends in it to `take`, except blank lines.
   * @param last whether this is the last piece
   */
  push(piece: Uint8Array, last: boolean, take: (record: CsvRecord) => void): void {
    const added = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    const text = this.#rest.length === 0 ? added : Buffer.concat([this.#rest, added])
    let at = 0
    if (!this.#began && (last || text.length >= BYTE_ORDER_MARK.length)) {
      this.#began = true
      if (text.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) at = BYTE_ORDER_MARK.length
    }
    // Validating the whole text is cheaper than validating each record, which is done only if the text is not valid UTF-8.
    const is_utf8 = isUtf8(text)
    while (this.#began && at < text.length) {
      if (this.#skipping) {
        at = this.#skip(text, at)
        continue
      }
      const found = this.#find(text, at, last)
      if (found === INCOMPLETE) {
        this.steps += text.length - at
        break
      }
      const { next, end, fault } = found
      if (end > at) take(this.#record(text, at, end, next, fault, is_utf8))
      this.#line += found.lines
      this.#skipping = found.lines === 0 && !last
      at = next
    }
    this.#offset += at
    // Copied, because the caller may overwrite the piece.
    this.#rest = Buffer.from(text.subarray(at))
  }

  /** Skips the rest of an overlong line. @returns the offset at which to continue */
  #skip(text: Buffer, at: number): number {
    const lf = text.indexOf(LF, at)
    const next = lf === -1 ? text.length : lf + 1
    this.steps += next - at
    if (lf !== -1) {
      this.#skipping = false
      this.#line += 1
    }
    return next
  }

  #record(
    text: Buffer,
    start: number,
    end: number,
    next: number,
    fault: string | null,
    is_utf8: boolean,
  ): CsvRecord {
    const through = this.#offset + next
    const wrong = fault ?? (is_utf8 || isUtf8(text.subarray(start, end)) ? null : UTF8_FAULT)
    if (wrong !== null) {
      const fields = guessFields(
        text.toString('utf8', start, Math.min(end, start + GUESSED_BYTES_MAX)),
        String.fromCharCode(this.#delimiter),
      )
      const kept = fields.slice(0, FIELDS_KEPT_MAX)
      return new CsvRecord(this.#line, kept, fields.length, wrong, through, text, start, end)
    }
    const fields: string[] = []
    for (let n = 0; n < this.#ranges.length; n += 2) {
      const from = this.#ranges[n]!
      const to = this.#ranges[n + 1]!
      const value = text.toString('utf8', from < 0 ? ~from : from, to)
      fields.push(from < 0 ? value.replaceAll('""', '"') : value)
    }
    return new CsvRecord(this.#line, fields, this.#count, null, through, text, start, end)
  }

  /** Finds the end and the fields of the record that begins at `start`. */
  #find(text: Buffer, start: number, last: boolean): Found | typeof INCOMPLETE {
    this.#ranges.length = 0
    this.#count = 0
    const delimiter = this.#delimiter
    const limit = Math.min(text.length, start + RECORD_BYTES_MAX)
    const whole = limit === text.length
    /** Offset of the first line end inside quotes, or -1. */
    let first_lf = -1
    /** Line ends inside quotes, and the one that ends the record. */
    let lines = 1
    let at = start
    for (;;) {
      let doubled = false
      let field_start = at
      let field_end: number
      let i = at
      if (text[at] === QUOTE) {
        field_start += 1
        const single_until = this.#single_lines_until - this.#offset
        for (i = at + 1; i < limit; i += 1) {
          const byte = text[i]
          if (byte === QUOTE) {
            if (text[i + 1] !== QUOTE) break
            doubled = true
            i += 1
          } else if (byte === LF) {
            if (i < single_until) return this.#unreadable(text, start, i, -1, QUOTE_FAULT, last)
            if (first_lf === -1) first_lf = i
            lines += 1
          }
        }
        if (i >= limit) {
          if (!whole) {
            const fault = first_lf === -1 ? LONG_FAULT : QUOTE_FAULT
            return this.#unreadable(text, start, limit, first_lf, fault, last)
          }
          if (!last) return INCOMPLETE
          return this.#unreadable(text, start, limit, first_lf, QUOTE_FAULT, last)
        }
        // A quote at the end of the text may be the first of a doubled quote.
        if (i + 1 === text.length && !last) return INCOMPLETE
        field_end = i
        i += 1
      } else {
        while (i < limit && text[i] !== delimiter && text[i] !== LF) i += 1
        if (i >= limit && !(whole && last)) {
          return whole ? INCOMPLETE : this.#unreadable(text, start, limit, first_lf, LONG_FAULT, last)
        }
        field_end = i
      }
      if (i < text.length && text[i] === delimiter) {
        this.#keep(field_start, field_end, doubled)
        at = i + 1
        continue
      }
      const quoted = field_start > at
      let end = i
      if (quoted) while (i < text.length && text[i] === CR) i += 1
      else while (end > at && text[end - 1] === CR) end -= 1
      if (i < text.length && text[i] !== LF) {
        return this.#unreadable(text, start, i, first_lf, QUOTE_FAULT, last)
      }
      if (i === text.length && !last) return INCOMPLETE
      this.#keep(field_start, quoted ? field_end : end, doubled)
      this.steps += i - start + 1
      return { next: Math.min(i + 1, text.length), end, fault: null, lines }
    }
  }

  #keep(start: number, end: number, doubled: boolean): void {
    this.#count += 1
    if (this.#count <= FIELDS_KEPT_MAX) this.#ranges.push(doubled ? ~start : start, end)
  }

  /**
   * Ends an unreadable record at the end of its first physical line.
   * @param seen offset up to which the text was examined
   * @param first_lf offset of the first line end inside quotes, or -1
   */
  #unreadable(
    text: Buffer,
    start: number,
    seen: number,
    first_lf: number,
    fault: string,
    last: boolean,
  ): Found | typeof INCOMPLETE {
    this.steps += seen - start
    if (first_lf !== -1) this.#single_lines_until = this.#offset + seen
    const lf = first_lf === -1 ? text.indexOf(LF, seen) : first_lf
    if (lf === -1) {
      const is_long = text.length - start >= RECORD_BYTES_MAX
      if (!last && !is_long) return INCOMPLETE
      this.steps += text.length - seen
      return { next: text.length, end: text.length, fault: is_long ? LONG_FAULT : fault, lines: 0 }
    }
    if (first_lf === -1) this.steps += lf - seen
    let end = lf
    while (end > start && text[end - 1] === CR) end -= 1
    return { next: lf + 1, end, fault, lines: 1 }
  }
}

/** Splits an unreadable record into fields as well as possible, for the rejects file. */
function guessFields(raw: string, delimiter: string): string[] {
  const fields: string[] = []
  let start = 0
  let within = false
  for (let at = 0; at <= raw.length; at += 1) {
    if (raw[at] === '"') within = !within
    if (at < raw.length && (within || raw[at] !== delimiter)) continue
    const field = raw.slice(start, at)
    fields.push(/^"(?:[^"]|"")*"$/.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field)
    start = at + 1
  }
  return fields
}
