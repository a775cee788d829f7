import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { sharedStore } from '../support/shared-store.ts'
import { begin } from '../support/wire.ts'

/** What a policy says, by directive. */
function readPolicy(headers: Headers): Record<string, string> {
  const directives = headers.get('content-security-policy')!.split('; ')
  return Object.fromEntries(
    directives.map((text) => [text.split(' ')[0]!, text.split(' ').slice(1).join(' ')]),
  )
}

/** What the page asks for by itself, as a browser reads its addresses. */
function partsOf(html: string): Map<string, string> {
  const script = [...html.matchAll(/<script\b[^>]*\bsrc="([^"]*)"/g)].map((m) => [m[1]!, 'text/javascript'])
  const style = [...html.matchAll(/<link\b[^>]*rel="stylesheet"[^>]*\bhref="([^"]*)"/g)].map((m) => [
    m[1]!,
    'text/css',
  ])
  return new Map([...script, ...style] as [string, string][])
}

describe('the page of the document', { timeout: HANGS_AFTER_MS }, () => {
  const home = sharedStore()

  async function ask(path: string, init: RequestInit = {}) {
    const response = await fetch(new URL(path, home.url), init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  it('may run its own files, talk to its own service, and nothing else', async () => {
    const { status, headers } = await ask('/docs')
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.deepEqual(readPolicy(headers), {
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'connect-src': "'self'",
      'img-src': 'data:',
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
      'require-trusted-types-for': "'script'",
      'trusted-types': "'none'",
    })
  })

  it('has nothing within it that this policy forbids', async () => {
    const html = (await ask('/docs')).text
    const scripts = [...html.matchAll(/<script\b([^>]*)>([^<]*)</g)]
    assert.equal(scripts.length, 1)
    for (const [, attributes, content] of scripts) {
      assert.match(attributes!, /\bsrc="/)
      assert.equal(content, '')
    }
    assert.doesNotMatch(html, /<style\b|\bstyle="|\bon[a-z]+="|javascript:/i)
    for (const path of partsOf(html).keys()) {
      const { text } = await ask(path)
      assert.doesNotMatch(
        text,
        /\binnerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b|\.cssText/,
      )
    }
  })

  it('is whole without any other origin', async () => {
    const html = (await ask('/docs')).text
    const parts = partsOf(html)
    assert.deepEqual([...parts.values()].toSorted(), ['text/css', 'text/javascript'])
    for (const [path, type] of parts) {
      const { status, headers, text } = await ask(new URL(path, `${home.url}/docs`).pathname)
      assert.equal(status, 200, path)
      assert.equal(headers.get('content-type'), `${type}; charset=utf-8`)
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.doesNotMatch(text, /https?:|@import|\burl\(/, path)
    }
    assert.doesNotMatch(html, /https?:|"\/\//i)
  })

  it('serves what it is made of, and no other file under any spelling', async () => {
    const paths = [
      '/docs/index.html',
      '/docs/page.ts',
      '/docs/../package.json',
      '/docs/..%2fpackage.json',
      '/docs/%2e%2e/%2e%2e/package.json',
      '/docs/..\\package.json',
      '/docs/docs.js%00',
      '/docs/DOCS.JS',
      '/docs/__proto__',
      '/docs/constructor',
    ]
    for (const path of paths) {
      const { request: outgoing, reply } = begin(home.url, 'GET')
      // fetch would tidy the path up first.
      outgoing.path = path
      outgoing.end()
      const { status, text } = await reply
      assert.ok([400, 404].includes(status), path)
      assert.match(text, /^\{"type":"\/problems\/(not_found|bad_request)"/, path)
    }
  })

  it('is kept by a browser as long as it is the same', async () => {
    for (const path of ['/docs', '/docs/docs.js', '/docs/docs.css', '/openapi.json']) {
      const { headers } = await ask(path)
      assert.equal(headers.get('cache-control'), 'no-cache', path)
      const etag = headers.get('etag')!
      assert.match(etag, /^"[\w-]{43}"$/)
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await ask(path, { headers: { 'if-none-match': known } })
        assert.deepEqual([again.status, again.text], [304, ''], path)
        assert.equal(again.headers.get('etag'), etag)
      }
      const other = await ask(path, { headers: { 'if-none-match': '"other"' } })
      assert.equal(other.status, 200, path)
      const head = await ask(path, { method: 'HEAD' })
      assert.deepEqual([head.status, head.text, head.headers.get('etag')], [200, '', etag], path)
    }
  })
})
