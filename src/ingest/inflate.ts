import type { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { Problem } from '../problem/problem.ts'

/** Supported values of Content-Encoding. */
export const CODINGS = ['gzip', 'deflate', 'br'] as const
export type Coding = (typeof CODINGS)[number]

/** Size of an output chunk. Decompression exceeds a limit by at most one chunk. */
const CHUNK_BYTES = 64 * 1024

const INFLATERS = {
  gzip: () => createGunzip({ chunkSize: CHUNK_BYTES }),
  // With the zlib header, as RFC 9110 requires. Raw deflate would have no checksum either.
  deflate: () => createInflate({ chunkSize: CHUNK_BYTES }),
  br: () => createBrotliDecompress({ chunkSize: CHUNK_BYTES }),
} as const satisfies Record<Coding, () => unknown>

/** Called before a chunk of `bytes` is kept. Returns a problem if it exceeds a limit. */
export type Admit = (bytes: number) => Problem | null

/**
 * Decompresses a body while it is received.
 * @param sent checks compressed chunks
 * @param inflated checks decompressed chunks
 * @throws {Problem} from `sent` or `inflated`, `damaged_encoding` or `client_left`; the rest of the body
 * stays unread
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
    for await (const part of chunksOf(body)) {
      bytes += part.length
      fault ??= sent(part.length)
      // One chunk at a time: chunks queued inside the inflater would use memory that is not counted.
      if (fault === null) await Promise.race([written(inflater, part), closed])
      throwFault(fault)
    }
    inflater.end()
    await closed
    // Node ignores trailing bytes after the compressed data, so they are detected here.
    throwFault(fault ?? (inflater.bytesWritten === bytes ? null : damaged(coding)))
    return parts
  } finally {
    inflater.destroy()
  }
}

/** Yields the chunks of a body. The stream is not destroyed if the consumer stops early. */
async function* chunksOf(body: Readable): AsyncGenerator<Buffer> {
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
  return new Problem('damaged_encoding', `The body is not valid ${coding}, or is incomplete.`)
}

export function clientLeft(): Problem {
  return new Problem('client_left', 'The client disconnected before the body was complete.')
}
