import type { Readable } from 'node:stream'
import { Problem } from '../problem/problem.ts'
import { FORMATS, mediaTypeOf } from './formats/formats.ts'
import { CODINGS, inflate } from './inflate.ts'
import type { Admit, Coding } from './inflate.ts'
import { createFlight } from './flight.ts'

/**
 * Reads request bodies and limits the size of one body, its decompressed size, and the bytes in flight of one
 * caller and of all.
 */
export interface BodyReader {
  /**
   * Reads and decompresses the body and passes it to `use`. Its bytes count as in flight until `use` has
   * finished.
   * @throws {Problem} `unsupported_media_type`, `body_too_large`, `queue_full`, `request_timeout`,
   * `client_left`, `damaged_encoding`, or what `use` throws
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
  /** Whose limit its bytes count for: a key, a user or an address. */
  caller: string
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
  /** The share of one caller. */
  caller_bytes_max: number
  /** A body of which nothing arrives for this time is rejected. */
  stall_timeout_ms: number
}

/**
 * Most clients send the whole body before they read the response, and see a connection error if the service
 * stops reading. So a rejected body is read to its end and discarded, up to this size.
 */
const DISCARDED_BYTES_MAX = 64 * 1024 * 1024

export function createBodyReader(limits: BodyLimits): BodyReader {
  const { body_bytes_max, inflated_bytes_max, stall_timeout_ms } = limits
  const flight = createFlight(limits)

  /** Checks the announced size before the body is read. */
  function headFault(request: IncomingBody): Problem | null {
    const announced_bytes = announcedBytes(request)
    if (announced_bytes > body_bytes_max) return tooLarge(body_bytes_max)
    return flight.fault(request.caller, 0, announced_bytes)
  }

  /**
   * Counts bytes as they arrive:
   * a client that announces a large body and sends nothing must not block others.
   */
  async function work<T>(
    { caller, stream }: IncomingBody,
    { media_type, coding }: Content,
    use: (body: Body) => Promise<T>,
  ): Promise<T> {
    let held_bytes = 0
    function hold(bytes_max: number, tooMany: (bytes_max: number) => Problem): Admit {
      let taken_bytes = 0
      return function admit(bytes) {
        taken_bytes += bytes
        const fault = taken_bytes > bytes_max ? tooMany(bytes_max) : flight.fault(caller, held_bytes, bytes)
        if (fault !== null) return fault
        held_bytes += bytes
        flight.add(caller, bytes)
        return null
      }
    }
    try {
      const sent = await readAll(stream, hold(body_bytes_max, tooLarge), stall_timeout_ms)
      // Only once all of it is here: a client that stalls must not hold what its few bytes inflate to.
      const parts =
        coding === null ? sent : await inflate(sent, coding, hold(inflated_bytes_max, inflatesTooFar))
      return await use({ media_type, parts })
    } finally {
      flight.add(caller, -held_bytes)
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
        if (error instanceof Problem && error.code !== 'request_timeout')
          await discardRest(request, stall_timeout_ms)
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

function readAll(stream: Readable, admit: Admit, stall_timeout_ms: number): Promise<Buffer<ArrayBuffer>[]> {
  const parts: Buffer<ArrayBuffer>[] = []
  let last_look: NodeJS.Immediate | undefined
  return new Promise((resolve, reject) => {
    function end(settle: () => void): void {
      clearTimeout(stall)
      clearImmediate(last_look)
      stream.off('data', take).off('end', finish).off('error', leave).off('close', leave)
      settle()
    }
    function refuse(fault: Problem): void {
      end(() => {
        stream.pause()
        reject(fault)
      })
    }
    function take(part: Buffer<ArrayBuffer>): void {
      clearImmediate(last_look)
      stall.refresh()
      const fault = admit(part.length)
      if (fault === null) parts.push(part)
      else refuse(fault)
    }
    // A turn of the event loop runs its timers before it reads what arrived while the one before it was long.
    const stall = setTimeout(() => {
      last_look = setImmediate(() => refuse(stalled(stall_timeout_ms)))
    }, stall_timeout_ms)
    const finish = () => end(() => resolve(parts))
    const leave = () => end(() => reject(clientLeft()))
    if (stream.destroyed) leave()
    else stream.on('data', take).once('end', finish).once('error', leave).once('close', leave)
  })
}

/** The connection is closed, because the rest of the body would be read as the next request. */
function stalled(stall_timeout_ms: number): Problem {
  return new Problem('request_timeout', `Nothing of the body arrived for ${stall_timeout_ms} ms.`, {
    headers: { connection: 'close' },
  })
}

function clientLeft(): Problem {
  return new Problem('client_left', 'The client disconnected before the body was complete.')
}

/**
 * Discards the rest of a rejected body up to {@link DISCARDED_BYTES_MAX}.
 * Also resolves if the client disconnects or stalls.
 */
function discardRest({ stream, ...request }: IncomingBody, stall_timeout_ms: number): Promise<void> {
  const over = stream.readableEnded || stream.destroyed
  if (over || announcedBytes(request) > DISCARDED_BYTES_MAX) return Promise.resolve()
  let bytes = 0
  return new Promise((resolve) => {
    const stall = setTimeout(resolve, stall_timeout_ms)
    const finish = () => {
      clearTimeout(stall)
      resolve()
    }
    stream.on('data', (part: Buffer) => {
      stall.refresh()
      bytes += part.length
      if (bytes > DISCARDED_BYTES_MAX) finish()
    })
    stream.once('end', finish).once('error', finish).once('close', finish)
    stream.resume()
  })
}
