import type { Readable } from 'node:stream'
import { Problem } from '../problem/problem.ts'
import { FORMATS, mediaTypeOf } from './formats/formats.ts'
import { clientLeft, CODINGS, inflate } from './inflate.ts'
import type { Admit, Coding } from './inflate.ts'

/** Reads request bodies within limits: of one body, of what it inflates to, and of all bodies that are being worked on. */
export interface BodyReader {
  /**
   * Reads the body, decompresses it, hands it to `use`, and counts its bytes as in flight until that is done.
   * @throws {Problem} `unsupported_media_type`, `body_too_large`, `queue_full`, `client_left`, `damaged_encoding`, or what `use` throws
   */
  withBody<T>(request: IncomingBody, use: (body: Body) => Promise<T>): Promise<T>
}

/** A whole body, as it is once decompressed. */
export interface Body {
  /** One of {@link FORMATS}. */
  media_type: string
  /** As they came: joining those of a large body takes long enough to be done elsewhere. */
  parts: readonly Uint8Array<ArrayBuffer>[]
}

export function sizeOf({ parts }: Body): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** What the reader needs of a request. */
export interface IncomingBody {
  header(name: string): string | undefined
  stream: Readable
}

export interface BodyLimits {
  /** As it is sent. */
  body_bytes_max: number
  /** As it is once decompressed. */
  inflated_bytes_max: number
  /** Of all requests at a time, inflated bytes included. */
  in_flight_bytes_max: number
}

/**
 * Most clients send their whole body before they look at the answer, and find the connection broken where the service has stopped to
 * listen. So a refused body is read to its end and thrown away; one larger than this may be cut off.
 */
const DISCARDED_BYTES_MAX = 64 * 1024 * 1024

export function createBodyReader(limits: BodyLimits): BodyReader {
  const { body_bytes_max, inflated_bytes_max, in_flight_bytes_max } = limits
  let in_flight_bytes = 0

  /** Says why so many bytes more must not be held for a request. One alone is bounded by its own limits. */
  function crowdFault(held_bytes: number, bytes: number): Problem | null {
    const alone = in_flight_bytes === held_bytes
    if (alone || in_flight_bytes + bytes <= in_flight_bytes_max) return null
    return new Problem(
      'queue_full',
      'Too many bytes of other requests are being worked on. Send again later.',
    )
  }

  /** What can be said before the body is read. */
  function headFault(request: IncomingBody): Problem | null {
    const announced_bytes = announcedBytes(request)
    if (announced_bytes > body_bytes_max) return tooLarge(body_bytes_max)
    return crowdFault(0, announced_bytes)
  }

  /** Counts bytes when they have come: a client that announces many and sends none must not keep others out. */
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
        if (error instanceof Problem) await hearOut(request)
        throw error
      }
    },
  }
}

interface Content {
  media_type: string
  /** Null for a body as it is. */
  coding: Coding | null
}

function contentOf(request: IncomingBody): Content {
  const media_type = mediaTypeOf(request.header('content-type') ?? '')
  if (media_type === null) {
    const types = [...FORMATS.keys()].join(', ')
    throw new Problem('unsupported_media_type', `Send as Content-Type one of ${types}; text in UTF-8.`, {
      headers: { 'accept-post': types },
    })
  }
  const name = (request.header('content-encoding') || 'identity').trim().toLowerCase()
  // An old name for the same, says RFC 9110.
  const coding = CODINGS.find((known) => known === (name === 'x-gzip' ? 'gzip' : name))
  if (coding !== undefined || name === 'identity') return { media_type, coding: coding ?? null }
  const codings = CODINGS.join(', ')
  throw new Problem('unsupported_media_type', `Send as Content-Encoding one of ${codings}, or none.`, {
    headers: { 'accept-encoding': codings },
  })
}

/** Who announces a size is held to it by the HTTP parser; who does not is counted as it comes. */
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
    `A body may have at most ${inflated_bytes_max} bytes once it is decompressed. Send smaller batches.`,
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
 * Reads a refused body to its end, as far as it is worth it. Ends too when the client leaves: the refusal stands in the log all the same.
 */
function hearOut({ stream, ...request }: IncomingBody): Promise<void> {
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
