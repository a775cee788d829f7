import { createReadStream } from 'node:fs'

/** Counts the bytes of a CSV file. The fast reader compares the counts with the rows that DuckDB has read. */

/** Byte counts of a file without its header. */
export interface ByteCounts {
  bytes: number
  quotes: number
  /** LF. */
  newlines: number
  /** CR. */
  returns: number
  /** CRLF. */
  pairs: number
  nuls: number
}

/** Whether all line ends are LF or all are CRLF, and there is no NUL. Otherwise the two CSV readers may differ. */
export function isPlain({ newlines, returns, pairs, nuls }: ByteCounts): boolean {
  return nuls === 0 && (returns === 0 || (returns === pairs && newlines === pairs))
}

/** Counts the bytes of a file from the offset `skipped_bytes`. */
export async function countBytes(path: string, skipped_bytes: number): Promise<ByteCounts> {
  let bytes = 0
  let quotes = 0
  let newlines = 0
  let returns = 0
  let pairs = 0
  let nuls = 0
  let before = 0
  const stream = createReadStream(path, { highWaterMark: 1 << 20, start: skipped_bytes })
  for await (const piece of stream as AsyncIterable<Buffer>) {
    bytes += piece.length
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at]!
      if (byte <= QUOTE) {
        if (byte === QUOTE) quotes += 1
        else if (byte === LF) {
          newlines += 1
          if (before === CR) pairs += 1
        } else if (byte === CR) returns += 1
        else if (byte === 0) nuls += 1
      }
      before = byte
    }
  }
  return { bytes, quotes, newlines, returns, pairs, nuls }
}

const QUOTE = 0x22
const LF = 0x0a
const CR = 0x0d
