import { createReadStream } from 'node:fs'

const PIECE_BYTES = 1 << 20
const NOTHING = new Uint8Array()

/** Hands over a file piece by piece, and an empty piece at its end. */
export async function forEachPiece(
  path: string,
  push: (piece: Uint8Array, last: boolean) => void,
): Promise<void> {
  const stream = createReadStream(path, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>
  for await (const piece of stream) push(piece, false)
  push(NOTHING, true)
}
