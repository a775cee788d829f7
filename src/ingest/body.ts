import type { HonoRequest } from 'hono'
import { Problem } from '../problem.ts'

/** Reads request bodies within two limits: one body, and all bodies that are being worked on. */
export interface BodyReader {
  /**
   * Reads the body as UTF-8 JSON, hands it to `use` with its bytes, and counts these as in flight until that is done.
   * @throws {Problem} `unsupported_media_type`, `body_too_large`, `queue_full`, `not_json`, `client_left`
   */
  withJson<T>(request: HonoRequest, use: (json: unknown, bytes: Uint8Array) => Promise<T>): Promise<T>
}

/**
 * Most clients send their whole body before they look at the answer, and find the connection broken where the service has stopped to
 * listen. So a refused body is read to its end and thrown away; one larger than this may be cut off.
 */
const DISCARDED_BYTES_MAX = 64 * 1024 * 1024

export function createBodyReader(body_bytes_max: number, in_flight_bytes_max: number): BodyReader {
  let in_flight_bytes = 0

  /** What keeps the body from being read, or null. */
  function admissionFault(request: HonoRequest, bytes: number): Problem | null {
    const media = mediaFault(request)
    if (media !== null) return new Problem('unsupported_media_type', media)
    if (bytes > body_bytes_max) return tooLarge(body_bytes_max)
    if (in_flight_bytes === 0 || in_flight_bytes + bytes <= in_flight_bytes_max) return null
    return new Problem(
      'queue_full',
      'Too many bytes of other requests are being worked on. Send again later.',
    )
  }

  return {
    async withJson(request, use) {
      // A body that does not announce its size is counted as the largest it may become.
      const bytes = announcedBytes(request) ?? body_bytes_max
      const fault = admissionFault(request, bytes)
      if (fault !== null) return refuse(request, fault)
      in_flight_bytes += bytes
      try {
        const body = await readBody(request, body_bytes_max)
        return await use(parseJson(body), body)
      } finally {
        in_flight_bytes -= bytes
      }
    },
  }
}

function mediaFault(request: HonoRequest): string | null {
  const [type, ...parameters] = (request.header('content-type') ?? '').toLowerCase().split(';')
  const charset = parameters.map((p) => p.trim()).find((p) => p.startsWith('charset='))
  const utf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset)
  if (type?.trim() !== 'application/json' || !utf8) {
    return 'Send Content-Type: application/json.'
  }
  const encoding = request.header('content-encoding') ?? 'identity'
  return encoding.toLowerCase() === 'identity' ? null : 'Send the body without Content-Encoding.'
}

function announcedBytes(request: HonoRequest): number | null {
  const text = request.header('content-length')
  return text === undefined ? null : Number(text)
}

function tooLarge(body_bytes_max: number): Problem {
  return new Problem(
    'body_too_large',
    `A body may have at most ${body_bytes_max} bytes. Send smaller batches.`,
  )
}

async function readBody(request: HonoRequest, bytes_max: number): Promise<Uint8Array> {
  try {
    // Who announces a size is held to it by the HTTP parser.
    if (announcedBytes(request) !== null) return new Uint8Array(await request.arrayBuffer())
    const bytes = await readUpTo(request, bytes_max)
    if (bytes !== null) return bytes
  } catch {
    throw new Problem('client_left', 'The connection ended within the body.')
  }
  return refuse(request, tooLarge(bytes_max))
}

/** The body, or null and the rest of it unread where it is larger. */
async function readUpTo(request: HonoRequest, bytes_max: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.raw.body?.values({ preventCancel: true }) ?? []) {
    bytes += part.byteLength
    if (bytes > bytes_max) return null
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** Throws the problem once the client has had its say. */
async function refuse(request: HonoRequest, problem: Problem): Promise<never> {
  const announced_bytes = announcedBytes(request) ?? 0
  if (announced_bytes <= DISCARDED_BYTES_MAX) await discard(request)
  throw problem
}

async function discard(request: HonoRequest): Promise<void> {
  let bytes = 0
  try {
    for await (const part of request.raw.body ?? []) {
      bytes += part.byteLength
      if (bytes > DISCARDED_BYTES_MAX) return
    }
  } catch {
    // The client left; the refusal stands in the log all the same.
  }
}

const NOT_JSON = 'The body could not be read as JSON.'

function parseJson(bytes: Uint8Array): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Problem('not_json', 'The body is not valid UTF-8.')
  }
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the input.
    throw new Problem('not_json', NOT_JSON)
  }
}
