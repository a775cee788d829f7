import {
  closeSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  openSync,
  readSync,
  statSync,
} from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import type { ColdDisk } from '../store/disk.ts'
import { isUnreadablePath } from '../store/duckdb.ts'
import { ImportFileError } from './header.ts'

/**
 * The input of an import, as a UTF-8 file. The CSV readers open it by path one after the other, while the checksum is computed in
 * parallel. The checksum matches what they have read only if {@link Source.isUnchanged} is true afterwards.
 */
export interface Source {
  /** File name without its folder; `stdin` for standard input. */
  name: string
  /** Path of the text: the file itself, or a copy if it is compressed, not UTF-8, a pipe, or has a path that DuckDB cannot open. */
  path: string
  /** Absolute path beside which the rejects file is written. */
  beside: string
  /** Permissions of the file, for the rejects file. */
  mode: number
  /** Size before decompression and decoding. */
  bytes: number
  /** SHA-256 before decompression and decoding, hex. The first call reads the file. */
  checksum(): Promise<string>
  /** Whether the file was neither replaced nor modified since {@link openSource}. */
  isUnchanged(): boolean
}

/** The argument that means standard input. */
export const STDIN = '-'
/** Two writes within one step of the file system's clock set the same time. On Linux a step is at most 10 ms. */
const CLOCK_STEP_MS = 20
/** Readable only by the owner, like all files in a store. */
const PRIVATE_MODE = 0o600

/**
 * Opens the input and makes a UTF-8 copy if one is needed.
 * @param named path of a file or pipe, or {@link STDIN}
 * @param folder for copies; the caller deletes it
 * @throws {ImportFileError} if the file does not exist, is not readable, is damaged, or has an unsupported format or encoding
 */
export async function openSource(
  named: string,
  folder: string,
  disk: Pick<ColdDisk, 'checksum'>,
  stdin: Readable = process.stdin,
): Promise<Source> {
  const original = named === STDIN ? null : resolve(named)
  const stat = original === null ? null : fileAt(original, named)
  const name = original === null ? 'stdin' : basename(original)
  let path = original ?? ''
  if (stat === null || !stat.isFile()) {
    path = join(folder, 'piped')
    await pipeline(original === null ? stdin : createReadStream(original), createWriteStream(path))
  }
  const whole = path
  const stamp = stampOf(whole)
  // After this wait, every write sets another ctime than that of the stamp.
  if (Date.now() - Number(stamp.ctimeMs) < CLOCK_STEP_MS) await setTimeout(CLOCK_STEP_MS)
  let hashing: Promise<string> | undefined

  return {
    name,
    path: await readable(whole, name, folder),
    beside: original ?? resolve('stdin'),
    mode: stat === null ? PRIVATE_MODE : Number(stat.mode) & 0o666,
    bytes: Number(stamp.size),
    checksum() {
      hashing ??= disk.checksum(whole)
      // If the import fails first, this promise is never awaited. Its rejection must not count as unhandled.
      hashing.catch(() => {})
      return hashing
    },
    isUnchanged() {
      const now = statSync(whole, { bigint: true, throwIfNoEntry: false })
      return now !== undefined && STAMP.every((part) => now[part] === stamp[part])
    },
  }
}

/**
 * The status of a file, pipe or character device.
 * @param named path as the user gave it, for messages
 * @throws {ImportFileError} if it does not exist, has another type or is not readable
 */
export function fileAt(path: string, named: string): BigIntStats {
  try {
    const stat = statSync(path, { bigint: true })
    if (!stat.isFile() && !stat.isFIFO() && !stat.isCharacterDevice()) {
      throw new ImportFileError(`${named} is not a file`)
    }
    if (stat.isFile()) closeSync(openSync(path, 'r'))
    return stat
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new ImportFileError(`${named} does not exist`, { cause: error })
    if (code === 'EACCES')
      throw new ImportFileError(`${named} cannot be read: permission denied`, { cause: error })
    throw error
  }
}

/** A program can set mtime back, but not ctime. */
const STAMP = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const

function stampOf(path: string): BigIntStats {
  return statSync(path, { bigint: true })
}

/** Magic numbers of unsupported formats, and the end of the error message for each. */
const FOREIGN: readonly [start: number[], what: string][] = [
  [[0x50, 0x4b, 0x03, 0x04], 'a ZIP archive or an Excel workbook; unpack it, or save it as CSV'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'compressed with zstd; decompress it first'],
  [[0x42, 0x5a, 0x68], 'compressed with bzip2; decompress it first'],
  [[0xfd, 0x37, 0x7a, 0x58], 'compressed with xz; decompress it first'],
  [[0x50, 0x41, 0x52, 0x31], 'a Parquet file; export it as CSV'],
]
const GZIP = [0x1f, 0x8b]
const UTF16_MARKS = { 'utf-16le': [0xff, 0xfe], 'utf-16be': [0xfe, 0xff] } as const

/** The path of the text as UTF-8: `path`, or a copy in `folder` if that is needed. */
async function readable(path: string, name: string, folder: string): Promise<string> {
  const start = startOf(path)
  const begins = (bytes: readonly number[]) => bytes.every((byte, i) => start[i] === byte)
  for (const [bytes, what] of FOREIGN) if (begins(bytes)) throw new ImportFileError(`${name} is ${what}`)
  if (begins(GZIP)) {
    const inflated = join(folder, 'inflated')
    try {
      await pipeline(createReadStream(path), createGunzip(), createWriteStream(inflated))
    } catch (error) {
      if (!String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error
      throw new ImportFileError(`${name} is damaged: it cannot be decompressed`, { cause: error })
    }
    return readable(inflated, name, folder)
  }
  for (const [encoding, mark] of Object.entries(UTF16_MARKS)) {
    if (!begins(mark)) continue
    const decoded = join(folder, 'decoded')
    await pipeline(createReadStream(path), decoding(encoding), createWriteStream(decoded))
    return decoded
  }
  // Only UTF-16 has one zero byte for each ASCII character.
  if (start.length >= 4 && (start[0] === 0) !== (start[1] === 0) && (start[2] === 0) !== (start[3] === 0)) {
    throw new ImportFileError(`${name} is UTF-16 without a byte order mark; convert it to UTF-8`)
  }
  if (!isUnreadablePath(path)) return path
  const copy = join(folder, 'copied')
  copyFileSync(path, copy)
  return copy
}

function startOf(path: string): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(4)
    return bytes.subarray(0, readSync(fd, bytes))
  } finally {
    closeSync(fd)
  }
}

function decoding(encoding: string): Transform {
  const decoder = new TextDecoder(encoding)
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      done(null, decoder.decode(piece, { stream: true }))
    },
    flush(done) {
      done(null, decoder.decode())
    },
  })
}
