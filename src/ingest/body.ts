import type { Readable } from 'node:stream'
import { Problem } from '../problem/problem.ts'
import { FORMATS, mediaTypeOf } from './formats/formats.ts'
import { clientLeft, CODINGS, inflate } from './inflate.ts'
import type { Admit, Coding } from './inflate.ts'

/**
 * Reads request bodies and limits the size of one body,
 * its decompressed size, and the bytes of all bodies in flight.
 */
export interface BodyReader {
  /**
   * Reads and decompresses the body and passes it to `use`. Its bytes count as in flight until `use` has
   * finished.
   * @throws {Problem} `unsupported_media_type`, `body_too_large`, `queue_full`, `client_left`,
   * `damaged_encoding`, or what `use` throws
   */
  withBody<T>(request: IncomingBody, use: (body: Body) => Promise<T>): Promise<T>
}

/** A whole body, decompressed. */
export interface Body {
  /** One of {@link FORMATS}. */
  media_type: string
  /** Chunks as received. Concatenating a large body is slow, so it is left to the thread that parses it. */
  parts: readonly Uint8Array<ArrayBuffer>[]
}

/** Bytes of a body. */
export function sizeOf({ parts }: Body): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** What the reader needs of a request. */
export interface IncomingBody {
  header(name: string): string | undefined
  stream: Readable
}

export interface BodyLimits {
  /** As sent. */
  body_bytes_max: number
  /** Decompressed. */
  inflated_bytes_max: number
  /** Of all concurrent requests, both sent and decompressed bytes. */
  in_flight_bytes_max: number
}

/**
 * Most clients send the whole body before they read the response, and see a connection error if the service
 * stops reading. So a rejected body is read to its end and discarded, up to this size.
 */
const DISCARDED_BYTES_MAX = 64 * 1024 * 1024

export function createBodyReader(limits: BodyLimits): BodyReader {
  const { body_bytes_max, inflated_bytes_max, in_flight_bytes_max } = limits
  let in_flight_bytes = 0

  /**
   * Returns a problem if `bytes` more would exceed the limit over all requests. A request that is alone
   * passes, because its own limits bound it.
   * @param held_bytes bytes already held for this request
   */
  function crowdFault(held_bytes: number, bytes: number): Problem | null {
    const alone = in_flight_bytes === held_bytes
    if (alone || in_flight_bytes + bytes <= in_flight_bytes_max) return null
    return new Problem('queue_full', 'Too many bytes of other requests are in flight. Send again later.')
  }

  /** Checks the announced size before the body is read. */
  function headFault(request: IncomingBody): Problem | null {
    const announced_bytes = announcedBytes(request)
    if (announced_bytes > body_bytes_max) return tooLarge(body_bytes_max)
    return crowdFault(0, announced_bytes)
  }

  /**
   * Counts bytes as they arrive:
   * a client that announces a large body and sends nothing must not block others.
   */
  async function work<T>(
    request: IncomingBody,
    { media_type, coding }: Content,
    use: (body: Body) => Promise<T>,
  ): Promise<T> {
    let held_bytes = 0
    function hold(bytes_max: number, tooMany: (bytes_max: number) => Problem): Admit {
      let taken_bytes = 0
      return function admit(bytes) {
        taken_bytes += bytes
        const fault = taken_bytes > bytes_max ? tooMany(bytes_max) : crowdFault(held_bytes, bytes)
        if (fault !== null) return fault
        held_bytes += bytes
        in_flight_bytes += bytes
        return null
      }
    }
    try {
      const sent = hold(body_bytes_max, tooLarge)
      const parts =
        coding === null
          ? await readAll(request.stream, sent)
          : await inflate(request.stream, coding, sent, hold(inflated_bytes_max, inflatesTooFar))
      return await use({ media_type, parts })
    } finally {
      in_flight_bytes -= held_bytes
    }
  }

  return {
    async withBody(request, use) {
      try {
        const content = contentOf(request)
        const fault = headFault(request)
        if (fault !== null) throw fault
        return await work(request, content, use)
      } catch (error) {
        if (error instanceof Problem) await discardRest(request)
        throw error
      }
    },
  }
}

interface Content {
  media_type: string
  /** Null if the body is not compressed. */
  coding: Coding | null
}

function contentOf(request: IncomingBody): Content {
  const media_type = mediaTypeOf(request.header('content-type') ?? '')
  if (media_type === null) {
    const types = [...FORMATS.keys()].join(', ')
    throw new Problem('unsupported_media_type', `Content-Type must be one of ${types}, with text in UTF-8.`, {
      headers: { 'accept-post': types },
    })
  }
  const name = (request.header('content-encoding') || 'identity').trim().toLowerCase()
  // RFC 9110 defines x-gzip as an alias of gzip.
  const coding = CODINGS.find((known) => known === (name === 'x-gzip' ? 'gzip' : name))
  if (coding !== undefined || name === 'identity') return { media_type, coding: coding ?? null }
  const codings = CODINGS.join(', ')
  throw new Problem('unsupported_media_type', `Content-Encoding must be one of ${codings}, or absent.`, {
    headers: { 'accept-encoding': codings },
  })
}

/**
 * The HTTP parser enforces an announced size.
 * Returns 0 without one; the body is then counted as it arrives.
 */
function announcedBytes(request: Pick<IncomingBody, 'header'>): number {
  return Number(request.header('content-length') ?? 0)
}

function tooLarge(body_bytes_max: number): Problem {
  return new Problem(
    'body_too_large',
    `A body may have at most ${body_bytes_max} bytes. Send smaller batches.`,
  )
}

function inflatesTooFar(inflated_bytes_max: number): Problem {
  return new Problem(
    'body_too_large',
    `A body may have at most ${inflated_bytes_max} bytes after decompression. Send smaller batches.`,
  )
}

function readAll(stream: Readable, admit: Admit): Promise<Buffer<ArrayBuffer>[]> {
  const parts: Buffer<ArrayBuffer>[] = []
  return new Promise((resolve, reject) => {
    function end(settle: () => void): void {
      stream.off('data', take).off('end', finish).off('error', leave).off('close', leave)
      settle()
    }
    function take(part: Buffer<ArrayBuffer>): void {
      const fault = admit(part.length)
      if (fault === null) parts.push(part)
      else {
        end(() => {
          stream.pause()
          reject(fault)
        })
      }
    }
    const finish = () => end(() => resolve(parts))
    const leave = () => end(() => reject(clientLeft()))
    if (stream.destroyed) leave()
    else stream.on('data', take).once('end', finish).once('error', leave).once('close', leave)
  })
}

/**
 * Discards the rest of a rejected body up to {@link DISCARDED_BYTES_MAX}.
 * Also resolves if the client disconnects.
 */
function discardRest({ stream, ...request }: IncomingBody): Promise<void> {
  const over = stream.readableEnded || stream.destroyed
  if (over || announcedBytes(request) > DISCARDED_BYTES_MAX) return Promise.resolve()
  let bytes = 0
  return new Promise((resolve) => {
    stream.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > DISCARDED_BYTES_MAX) resolve()
    })
    stream.once('end', resolve).once('error', () => resolve())
    stream.once('close', resolve)
    stream.resume()
  })
}
