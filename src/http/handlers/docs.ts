import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Context } from 'hono'
import { Problem } from '../../problem/problem.ts'
import { ownFile } from '../../process/own-files.ts'
import { CONTENT_TYPES } from '../../query/format.ts'
import type { Handlers } from '../handler.ts'
import { JSON_TYPE } from '../openapi/operation.ts'

/** `/openapi.json`, and `/docs`: a page that shows it, served from the files in page/. */

/** The files of the page; no other file is served. */
export const FILE_TYPES = {
  'docs.css': 'text/css; charset=utf-8',
  'docs.js': 'text/javascript; charset=utf-8',
} as const

export const NO_SUCH_FILE = 'The page has no such file.'

/** The page may load only from the service itself, and may not turn text into markup or code. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  // For the empty icon in index.html, which keeps browsers from requesting /favicon.ico.
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

interface Unchanging {
  body: string
  headers: Record<string, string>
}

/** @param describe returns the document; called at the first request for it */
export function docsHandlers(
  describe: () => object,
): Handlers<'GET /openapi.json' | 'GET /docs' | 'GET /docs/:file'> {
  let described: Unchanging | undefined
  const page = unchanging(readPage('index.html'), CONTENT_TYPES.html, {
    'content-security-policy': PAGE_POLICY,
  })
  const files = new Map(
    Object.entries(FILE_TYPES).map(([name, type]) => [name, unchanging(readPage(name), type)]),
  )
  return {
    'GET /openapi.json': (c) => answer(c, (described ??= unchanging(JSON.stringify(describe()), JSON_TYPE))),
    'GET /docs'(c) {
      // The links of the page are relative, so that it works below a path of a proxy. Below /docs/ they would lead astray.
      if (new URL(c.req.url).pathname.endsWith('/')) return c.redirect('../docs', 308)
      return answer(c, page)
    },
    'GET /docs/:file'(c) {
      const file = files.get(c.req.param('file') ?? '')
      if (file === undefined) throw new Problem('not_found', NO_SUCH_FILE)
      return answer(c, file)
    },
  }
}

/** The path is the same in the sources and in the built package. */
function readPage(name: string): string {
  return readFileSync(ownFile(`http/page/${name}`), 'utf8')
}

function unchanging(body: string, type: string, headers: Record<string, string> = {}): Unchanging {
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  // Cached but always revalidated: another version of the service has other files under the same names.
  return { body, headers: { ...headers, 'content-type': type, 'cache-control': 'no-cache', etag } }
}

function answer(c: Context, { body, headers }: Unchanging): Response {
  const has = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  if (has.includes('*') || has.includes(headers['etag']!)) return c.body(null, 304, headers)
  return c.body(body, 200, headers)
}
