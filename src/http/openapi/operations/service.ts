import { TEXT_TYPE } from '../../../metrics/meters.ts'
import { FILE_TYPES, NO_SUCH_FILE } from '../../handlers/docs.ts'
import { CONTENT_TYPES } from '../../../query/format.ts'
import type { Route } from '../../routes.ts'
import type { Json } from '../json-schema.ts'
import { JSON_TYPE, jsonReply, refusal } from '../operation.ts'
import type { Example, Operation } from '../operation.ts'
import { ref } from '../schemas.ts'

/** The list of paths, the probes, the metrics and the documentation. */

const object = { type: 'object' }
const text = { type: 'string' }

const addressesOf = (routes: readonly Route[], method: string) =>
  routes.filter((route) => route.method === method && route.path !== '/').map(({ path }) => path)

export function getRoot(routes: readonly Route[]): Operation {
  return {
    id: 'getAddresses',
    tag: 'service',
    summary: 'List all paths',
    replies: { 200: { description: 'Paths by method.', content: { [JSON_TYPE]: ref('Addresses') } } },
    examples: {
      addresses: {
        summary: 'All paths',
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
  summary: 'Liveness probe',
  description: 'Does no I/O.',
  replies: {
    200: {
      description: 'The process answers.',
      content: {
        [JSON_TYPE]: { ...object, properties: { status: { const: 'alive' } }, required: ['status'] },
      },
    },
  },
  examples: { alive: { summary: 'Alive', ...jsonReply({ status: 'alive' }) } },
}

export const getReadyz: Operation = {
  id: 'getReadiness',
  tag: 'service',
  summary: 'Readiness probe',
  description:
    '200 if the service accepts events and queries. `damage` lists the findings of the last check of the store; queries that need no damaged file are still answered.',
  replies: { 200: { description: 'The service is ready.', content: { [JSON_TYPE]: ref('Ready') } } },
  problems: ['not_ready'],
  examples: { ready: { summary: 'Ready', ...jsonReply({ status: 'ready' }) } },
}

export const getMetrics: Operation = {
  id: 'getMetrics',
  tag: 'service',
  summary: 'Metrics for Prometheus',
  replies: {
    200: { description: 'The Prometheus text format.', content: { [TEXT_TYPE]: text } },
  },
  examples: { scrape: { summary: 'All metrics', status: 200, reply: { type: TEXT_TYPE } } },
}

/** Replies for content that changes only with the version of the service, and so has an ETag. */
const unchanging = (content: Readonly<Record<string, Json>>): Operation['replies'] => ({
  200: { description: 'The content.', content, headers: ['ETag'] },
  304: { description: 'Not modified: `If-None-Match` names the current version.', headers: ['ETag'] },
})
const known = {
  summary: 'Not modified',
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
  summary: 'Interactive page of this document',
  replies: unchanging({ [CONTENT_TYPES.html]: text }),
  examples: { page: { summary: 'The page', status: 200, reply: { type: CONTENT_TYPES.html } }, known },
}

export const getDocsFile: Operation = {
  id: 'getDocsFile',
  tag: 'service',
  summary: 'Files of the page',
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
