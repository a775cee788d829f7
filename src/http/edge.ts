import { createServer, STATUS_CODES } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { RequestError } from '@hono/node-server'
import { Problem } from '../problem/problem.ts'
import type { Logger } from '../process/log.ts'
import { problemReply, renderProblem } from './problem-reply.ts'

/** The HTTP server: its limits, and the answers to what never becomes a request. */

export interface EdgeLimits {
  headers_timeout_ms: number
  /** From the first byte of a request to the last of its body. */
  request_timeout_ms: number
  /** Of the request line and all headers. */
  headers_bytes_max: number
}

/** A connection that sends nothing for this long is closed. */
const KEEP_ALIVE_TIMEOUT_MS = 60_000
/** How often connections are looked at for being too slow, and so how late the limits may strike. */
const TIMEOUT_CHECK_MS = 1_000

/** What every reply says. Routes that serve pages may say otherwise. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cache-control': 'no-store',
}

export function createEdge(limits: EdgeLimits, listener: RequestListener): Server {
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      headersTimeout: limits.headers_timeout_ms,
      requestTimeout: limits.request_timeout_ms,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: limits.headers_bytes_max,
      // The application refuses such a request too, but with a reason.
      requireHostHeader: false,
    },
    listener,
  )
  const replies = new WeakMap<Socket, ServerResponse>()
  server.prependListener('request', (request: IncomingMessage, reply: ServerResponse) => {
    replies.set(request.socket, reply)
  })
  // An expectation that we do not know may be ignored.
  server.on('checkExpectation', (request, reply) => server.emit('request', request, reply))
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    // The server hands over nothing but sockets.
    const socket = stream as Socket
    const reply = replies.get(socket)
    const within_reply = reply !== undefined && reply.headersSent && !reply.writableFinished
    if (socket.writable && !within_reply && error.code !== 'ECONNRESET') {
      socket.write(rawReply(problemFor(error.code)))
    }
    socket.destroySoon()
  })
  return server
}

/** What the server says of a request that its parser or its clock gave up. The error's own text quotes the request. */
function problemFor(code: string | undefined): Problem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout', 'Send the whole request faster, or in smaller parts.')
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers_too_large', 'Send a shorter address and fewer or shorter headers.')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('body_too_large', 'Send the body without chunk extensions.')
    default:
      return badRequest()
  }
}

/** Answers what the application could not: a request whose address or Host header makes no URL, or one over which it failed altogether. */
export function answerFailure(error: unknown, log: Logger): Response {
  const unreadable = error instanceof RequestError
  if (!unreadable) log.error({ err: error }, 'request failed')
  const reply = renderProblem(
    unreadable ? badRequest() : new Problem('internal', 'The log of the service has the reason.'),
  )
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) reply.headers.set(name, value)
  return reply
}

function badRequest(): Problem {
  return new Problem('bad_request', 'The request line, a header or the framing of the body is wrong.')
}

function rawReply(problem: Problem): string {
  const { status, headers, body } = problemReply(problem)
  const lines = Object.entries({ ...SECURITY_HEADERS, ...headers, connection: 'close' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}
