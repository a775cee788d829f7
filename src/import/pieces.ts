import { createReadStream } from 'node:fs'

const PIECE_BYTES = 1 << 20
const NOTHING = new Uint8Array()

/** Reads a file in pieces of at most 1 MiB. After the last one it passes an empty piece with `last` set. */
export async function forEachPiece(
  path: string,
  push: (piece: Uint8Array, last: boolean) => void,
): Promise<void> {
  const stream = createReadStream(path, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>
  for await (const piece of stream) push(piece, false)
  push(NOTHING, true)
}
