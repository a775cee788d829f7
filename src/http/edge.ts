import { createServer, STATUS_CODES } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { RequestError } from '@hono/node-server'
import { Problem } from '../problem/problem.ts'
import type { Logger } from '../process/log.ts'
import { problemReply, renderProblem } from './problem-reply.ts'

/** The HTTP server: its limits, and the replies to input that Node cannot parse as a request. */

export interface EdgeLimits {
  headers_timeout_ms: number
  /** From the first byte of a request to the last byte of its body. */
  request_timeout_ms: number
  /** Request line and all headers together. */
  headers_bytes_max: number
}

/** Idle connections are closed after this time. */
const KEEP_ALIVE_TIMEOUT_MS = 60_000
/** How often Node checks for slow connections; a timeout can be late by this much. */
const TIMEOUT_CHECK_MS = 1_000

/** Sent with every reply. Routes that serve pages override some. */
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
      // The application rejects a request without Host itself, with a problem document.
      requireHostHeader: false,
    },
    listener,
  )
  const replies = new WeakMap<Socket, ServerResponse>()
  server.prependListener('request', (request: IncomingMessage, reply: ServerResponse) => {
    replies.set(request.socket, reply)
  })
  // RFC 9110 allows a server to ignore an unknown Expect header.
  server.on('checkExpectation', (request, reply) => server.emit('request', request, reply))
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    // The stream of an HTTP server is always a socket.
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

/**
 * Maps an error of Node's HTTP parser or timers to a problem. The error's own text is not used: it
 * quotes the request.
 */
function problemFor(code: string | undefined): Problem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout', 'Send the whole request faster, or in smaller parts.')
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers_too_large', 'Send a shorter URL, and fewer or shorter headers.')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('body_too_large', 'Send the body without chunk extensions.')
    default:
      return badRequest()
  }
}

/**
 * Answers a request that the application could not handle: its URL or Host header is invalid, or
 * the application threw.
 */
export function answerFailure(error: unknown, log: Logger): Response {
  const unreadable = error instanceof RequestError
  if (!unreadable) log.error({ err: error }, 'request failed')
  const reply = renderProblem(
    unreadable ? badRequest() : new Problem('internal', 'See the log of the service.'),
  )
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) reply.headers.set(name, value)
  return reply
}

function badRequest(): Problem {
  return new Problem('bad_request', 'The request line, a header or the framing of the body is invalid.')
}

function rawReply(problem: Problem): string {
  const { status, headers, body } = problemReply(problem)
  const lines = Object.entries({ ...SECURITY_HEADERS, ...headers, connection: 'close' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}
