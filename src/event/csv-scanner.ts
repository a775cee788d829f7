import { isUtf8 } from 'node:buffer'

/**
 * Splits CSV (RFC 4180) into records. Every byte is looked at a bounded number of times, whatever the input, and an unreadable record costs
 * itself alone. Outside quotes LF, CRLF and any number of CR before LF end a record; a quote within an unquoted field is a character like any
 * other.
 */

/** One record as it was found. */
export class CsvRecord {
  /** The physical line on which it begins, from 1. */
  readonly line: number
  /** Without quotes. Of a record with a fault, a best guess; at most {@link FIELDS_KEPT_MAX}. */
  readonly fields: readonly string[]
  /** How many fields there are, also those that were not kept. */
  readonly count: number
  /** Why it cannot be read; null if it can. */
  readonly fault: string | null
  /** How many bytes of the whole text end with it, its line end included. */
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

  /** The record as it stands in the text, without its line end; what is no UTF-8 is replaced by U+FFFD. */
  text(): string {
    return this.#text.toString('utf8', this.#start, this.#end)
  }
}

/** A longer record is rejected: it is a quote that nobody closed, or no event. In bytes; 32 KiB of properties fit many times over. */
export const RECORD_BYTES_MAX = 1024 * 1024
/** Any real header has fewer columns; the fields of a record with more are counted and not kept. */
export const FIELDS_KEPT_MAX = 256
export const DELIMITERS = [',', ';', '\t'] as const
export type Delimiter = (typeof DELIMITERS)[number]

/** So much of a record with a fault is split into fields, in bytes. */
const GUESSED_BYTES_MAX = 64 * 1024

const QUOTE = 0x22
const LF = 0x0a
const CR = 0x0d
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const NOTHING = Buffer.alloc(0)

const QUOTE_FAULT = 'a quoted field is not closed, or goes on after its quote'
const LONG_FAULT = `the row is longer than ${RECORD_BYTES_MAX} bytes`
const UTF8_FAULT = 'the row is not valid UTF-8'

/** Where one record ends. */
interface Found {
  /** Behind the line end. */
  next: number
  /** Before the line end. */
  end: number
  fault: string | null
  /** Line ends passed; none where the line goes on behind the text. */
  lines: number
}

const INCOMPLETE = Symbol('the record goes on behind what has come')

export class CsvScanner {
  /** Bytes looked at: what the work is measured by, in tests. */
  steps = 0
  /** What follows the last whole record. */
  #rest: Buffer = NOTHING
  /** Offset of `#rest` in the whole text. */
  #offset = 0
  #line = 1
  #began = false
  /**
   * Offset in the whole text before which no line end may lie within quotes. A quote that was not closed is found out at this place, and then the
   * lines before it are read one by one; without it each of them could read on to the same place.
   */
  #single_lines_until = 0
  /** Within a line that is too long and was told already. */
  #skipping = false
  readonly #delimiter: number
  /** Begin and end of each field of the record at hand. */
  readonly #ranges: number[] = []
  #count = 0

  constructor(delimiter: Delimiter = ',') {
    this.#delimiter = delimiter.charCodeAt(0)
  }

  /**
   * Takes the next piece of the text and hands over each record that ends in it, blank lines left out.
   * @param last nothing follows the piece
   */
  push(piece: Uint8Array, last: boolean, take: (record: CsvRecord) => void): void {
    const added = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    const text = this.#rest.length === 0 ? added : Buffer.concat([this.#rest, added])
    let at = 0
    if (!this.#began && (last || text.length >= BYTE_ORDER_MARK.length)) {
      this.#began = true
      if (text.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) at = BYTE_ORDER_MARK.length
    }
    // Looking at each record costs more than looking at the whole piece; only where that is not sound does each count.
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
    // The piece may belong to a buffer that its owner uses again.
    this.#rest = Buffer.from(text.subarray(at))
  }

  /** The end of a line that was told as too long. @returns where to go on */
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
      // Complemented where the field has doubled quotes.
      const value = text.toString('utf8', from < 0 ? ~from : from, to)
      fields.push(from < 0 ? value.replaceAll('""', '"') : value)
    }
    return new CsvRecord(this.#line, fields, this.#count, null, through, text, start, end)
  }

  /** Finds the record that begins at `start`. */
  #find(text: Buffer, start: number, last: boolean): Found | typeof INCOMPLETE {
    this.#ranges.length = 0
    this.#count = 0
    const delimiter = this.#delimiter
    const limit = Math.min(text.length, start + RECORD_BYTES_MAX)
    const whole = limit === text.length
    /** The first line end within quotes, and how many there are. */
    let first_lf = -1
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
        // A quote at the very end may be the first of two.
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
   * The physical line that begins at `start`, which is no record.
   * @param seen how far it was looked
   * @param first_lf where the line ends, if that was within quotes
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

/** The fields of a line whose quotes are wrong, for the person who corrects it. */
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
