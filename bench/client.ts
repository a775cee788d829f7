import { connect } from 'node:net'

/**
 * A keep-alive HTTP/1.1 connection with minimal CPU cost,
 * because the client shares the CPU with the service.
 */
export interface Connection {
  /** Only one request at a time. */
  send(request: Buffer): Promise<Reply>
  close(): void
}

export interface Reply {
  status: number
  body: string
}

/** Builds the bytes of a whole `POST` request. */
export function postRequest(url: string, body: Buffer): Buffer {
  const { host, pathname } = new URL(url)
  const head = `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

const HEAD_END = '\r\n\r\n'

/** `send` rejects if the server closes the connection or responds without Content-Length. */
export async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | null = null
  let received = ''

  socket.setEncoding('latin1')
  socket.on('data', (part: string) => {
    received += part
    const head_end = received.indexOf(HEAD_END)
    if (head_end === -1) return
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(received.slice(0, head_end + 2))?.[1]
    if (length === undefined) {
      socket.destroy(new Error(`no Content-Length: ${received.slice(0, head_end)}`))
      return
    }
    const end = head_end + HEAD_END.length + Number(length)
    if (received.length < end) return
    const reply = {
      status: Number(received.slice(9, 12)),
      body: received.slice(head_end + HEAD_END.length, end),
    }
    received = received.slice(end)
    waiting!.resolve(reply)
  })
  let failure: Error | undefined
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('close', () => waiting?.reject(failure ?? new Error('the service closed the connection')))
  return {
    send(request) {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        socket.write(request)
      })
    },
    close: () => socket.destroy(),
  }
}
