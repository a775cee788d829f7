import type { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { Problem } from '../problem/problem.ts'

/** Content codings that a body may have. */
export const CODINGS = ['gzip', 'deflate', 'br'] as const
export type Coding = (typeof CODINGS)[number]

/** What comes out at a time, and so how far past a limit inflating can get. */
const CHUNK_BYTES = 64 * 1024

const INFLATERS = {
  gzip: () => createGunzip({ chunkSize: CHUNK_BYTES }),
  // With the zlib header, as RFC 9110 has it: without one there is no checksum either.
  deflate: () => createInflate({ chunkSize: CHUNK_BYTES }),
  br: () => createBrotliDecompress({ chunkSize: CHUNK_BYTES }),
} as const satisfies Record<Coding, () => unknown>

/** Is told of every piece before it is kept, and says why it must not be. */
export type Admit = (bytes: number) => Problem | null

/**
 * Inflates a body while it comes in.
 * @param sent admits what comes in
 * @param inflated admits what comes out
 * @throws {Problem} what these said, `damaged_encoding` or `client_left`; the rest of the body is then unread
 */
export async function inflate(
  body: Readable,
  coding: Coding,
  sent: Admit,
  inflated: Admit,
): Promise<Buffer<ArrayBuffer>[]> {
  const inflater = INFLATERS[coding]()
  const parts: Buffer<ArrayBuffer>[] = []
  let fault: Problem | null = null
  const closed = new Promise<void>((resolve) => {
    inflater.once('close', resolve)
  })
  inflater.once('error', () => {
    fault ??= damaged(coding)
  })
  inflater.on('data', (part: Buffer<ArrayBuffer>) => {
    fault ??= inflated(part.length)
    if (fault === null) parts.push(part)
    else inflater.destroy()
  })
  try {
    let bytes = 0
    for await (const part of piecesOf(body)) {
      bytes += part.length
      fault ??= sent(part.length)
      // One piece at a time: what waits within the inflater would be held without being counted.
      if (fault === null) await Promise.race([written(inflater, part), closed])
      throwFault(fault)
    }
    inflater.end()
    await closed
    // What stands behind the end of the compressed data would be dropped without a word.
    throwFault(fault ?? (inflater.bytesWritten === bytes ? null : damaged(coding)))
    return parts
  } finally {
    inflater.destroy()
  }
}

/** The pieces of a body, which stays readable where its reader stops. */
async function* piecesOf(body: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const part of body.iterator({ destroyOnReturn: false })) yield part as Buffer
  } catch {
    throw clientLeft()
  }
}

function written(inflater: ReturnType<(typeof INFLATERS)[Coding]>, part: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    inflater.write(part, () => resolve())
  })
}

function throwFault(fault: Problem | null): void {
  if (fault !== null) throw fault
}

function damaged(coding: Coding): Problem {
  return new Problem('damaged_encoding', `The body is not whole and sound ${coding}.`)
}

export function clientLeft(): Problem {
  return new Problem('client_left', 'The connection ended within the body.')
}
