import { TEXT_TYPE } from '../../../metrics/meters.ts'
import { FILE_TYPES, HTML_TYPE, NO_SUCH_FILE } from '../../handlers/docs.ts'
import type { Route } from '../../routes.ts'
import type { Json } from '../json-schema.ts'
import { JSON_TYPE, jsonReply, refusal } from '../operation.ts'
import type { Example, Operation } from '../operation.ts'
import { ref } from '../schemas.ts'

/** The service itself: its addresses, its probes, its documentation. */

const object = { type: 'object' }
const text = { type: 'string' }

const addressesOf = (routes: readonly Route[], method: string) =>
  routes.filter((route) => route.method === method && route.path !== '/').map(({ path }) => path)

export function getRoot(routes: readonly Route[]): Operation {
  return {
    id: 'getAddresses',
    tag: 'service',
    summary: 'The addresses that there are',
    replies: { 200: { description: 'Paths by method.', content: { [JSON_TYPE]: ref('Addresses') } } },
    examples: {
      addresses: {
        summary: 'All of them',
        ...jsonReply({
          service: 'frostline',
          post: addressesOf(routes, 'POST'),
          get: addressesOf(routes, 'GET'),
        }),
      },
    },
  }
}

export const getLivez: Operation = {
  id: 'getLiveness',
  tag: 'service',
  summary: 'Whether the process answers',
  description: 'Touches nothing.',
  replies: {
    200: {
      description: 'It does.',
      content: {
        [JSON_TYPE]: { ...object, properties: { status: { const: 'alive' } }, required: ['status'] },
      },
    },
  },
  examples: { alive: { summary: 'It does', ...jsonReply({ status: 'alive' }) } },
}

export const getReadyz: Operation = {
  id: 'getReadiness',
  tag: 'service',
  summary: 'Whether the service takes events and questions',
  description: '`damage` lists what the last check of the store found; what is whole is still served.',
  replies: { 200: { description: 'It does.', content: { [JSON_TYPE]: ref('Ready') } } },
  problems: ['not_ready'],
  examples: { ready: { summary: 'It does', ...jsonReply({ status: 'ready' }) } },
}

export const getMetrics: Operation = {
  id: 'getMetrics',
  tag: 'service',
  summary: 'What the service counts and measures, for Prometheus',
  replies: {
    200: { description: 'The text format; the README lists the metrics.', content: { [TEXT_TYPE]: text } },
  },
  examples: { scrape: { summary: 'All metrics', status: 200, reply: { type: TEXT_TYPE } } },
}

/** What stays the same until the service is another: a client that has it already is told so. */
const unchanging = (content: Readonly<Record<string, Json>>): Operation['replies'] => ({
  200: { description: 'The document.', content, headers: ['ETag'] },
  304: { description: 'It is what `If-None-Match` names.', headers: ['ETag'] },
})
const known = {
  summary: 'A client that has it already',
  headers: { 'if-none-match': '*' },
  status: 304,
}

export const getOpenapi: Operation = {
  id: 'getDocument',
  tag: 'service',
  summary: 'This document',
  replies: unchanging({ [JSON_TYPE]: { ...object, required: ['openapi', 'info', 'paths'] } }),
  examples: { whole: { summary: 'The document', status: 200, reply: { type: JSON_TYPE } }, known },
}

export const getDocs: Operation = {
  id: 'getDocs',
  tag: 'service',
  summary: 'This document as a page, to be tried out',
  replies: unchanging({ [HTML_TYPE]: text }),
  examples: { page: { summary: 'The page', status: 200, reply: { type: HTML_TYPE } }, known },
}

export const getDocsFile: Operation = {
  id: 'getDocsFile',
  tag: 'service',
  summary: 'What the page is made of',
  parameters: [{ name: 'file', in: 'path', required: true, schema: { enum: Object.keys(FILE_TYPES) } }],
  replies: unchanging(Object.fromEntries(Object.values(FILE_TYPES).map((type) => [type, text]))),
  examples: {
    ...Object.fromEntries(
      Object.entries(FILE_TYPES).map(([name, type]): [string, Example] => [
        name.replace('.', '_'),
        { summary: name, path: `/docs/${name}`, status: 200, reply: { type } },
      ]),
    ),
    known: { ...known, path: `/docs/${Object.keys(FILE_TYPES)[0]}` },
    no_such_file: {
      summary: 'No such file',
      path: '/docs/other.js',
      ...refusal('not_found', NO_SUCH_FILE),
    },
  },
}
