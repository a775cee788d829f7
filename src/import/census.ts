import { createReadStream } from 'node:fs'

/** Counts of bytes, from which it is known whether DuckDB took all of a file as the careful reader would. */

/** What the rows of a file hold, without its header. */
export interface ByteCounts {
  bytes: number
  quotes: number
  newlines: number
  returns: number
  /** Pairs of return and newline. */
  pairs: number
  nuls: number
}

/** Whether all lines end alike, and no byte is one that the two readers might take in different ways. */
export function isPlain({ newlines, returns, pairs, nuls }: ByteCounts): boolean {
  return nuls === 0 && (returns === 0 || (returns === pairs && newlines === pairs))
}

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
