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
 * Decompresses a whole body.
 * @param admit checks decompressed chunks
 * @throws {Problem} from `admit`, or `damaged_encoding`
 */
export async function inflate(
  sent: readonly Uint8Array[],
  coding: Coding,
  admit: Admit,
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
    fault ??= admit(part.length)
    if (fault === null) parts.push(part)
    else inflater.destroy()
  })
  let bytes = 0
  for (const part of sent) {
    bytes += part.length
    inflater.write(part)
  }
  inflater.end()
  await closed
  // Node ignores trailing bytes after the compressed data, so they are detected here.
  fault ??= inflater.bytesWritten === bytes ? null : damaged(coding)
  if (fault !== null) throw fault as Problem
  return parts
}

function damaged(coding: Coding): Problem {
  return new Problem('damaged_encoding', `The body is not valid ${coding}, or is incomplete.`)
}
