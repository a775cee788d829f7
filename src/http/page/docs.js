/**
 * Shows openapi.json and sends its examples. Runs in the browser without a build. All text is set
 * as text, never as markup. The key is kept only in its field and sent only to this service.
 */

/** Base URL of the service: the folder of this page. */
const BASE = new URL('.', document.baseURI)

/** Creates an element with properties and children; an `on…` property adds an event listener. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else element[key] = value
  }
  element.append(...children)
  return element
}

const code = (text) => make('code', {}, text)
const json = (value) => make('pre', {}, JSON.stringify(value, null, 2))

/** Renders text between backticks as code. */
const prose = (text = '') => text.split('`').map((part, i) => (i % 2 === 1 ? code(part) : part))

function table(rows) {
  return make(
    'table',
    {},
    ...rows.map((cells) => make('tr', {}, ...cells.map((cell) => make('td', {}, ...cell)))),
  )
}

function schemaText({ $ref, type, anyOf, enum: values, default: preset, ...rest }) {
  if ($ref !== undefined) return $ref.split('/').at(-1)
  if (anyOf !== undefined) return anyOf.map(schemaText).join(' or ')
  const limits = Object.entries(rest).filter(([, value]) => ['number', 'string'].includes(typeof value))
  const shown = limits.filter(([key]) => key !== 'description').map(([key, value]) => `${key} ${value}`)
  return [values?.join(' | ') ?? type, ...shown, ...(preset === undefined ? [] : [`default ${preset}`])].join(
    ', ',
  )
}

function showParameters(parameters) {
  return parameters.map(({ name, in: place, required, schema, description }) => [
    [code(name)],
    [required ? `${place}, required` : place],
    [schemaText(schema)],
    prose(description),
  ])
}

/** Lists every example that can be sent, labelled with the status of its reply. */
function examplesOf({ responses }) {
  return Object.entries(responses).flatMap(([status, { content = {}, 'x-examples': bare = {} }]) =>
    [...Object.values(content).map(({ examples }) => examples ?? {}), bare]
      .flatMap((examples) => Object.values(examples))
      .filter((example) => 'x-request' in example)
      .map(({ summary, 'x-request': request }) => ({ label: `${status}: ${summary}`, request })),
  )
}

const writeHeaders = (headers) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')

const readHeaders = (text) =>
  text
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()])

const fromBase64 = (text) => Uint8Array.from(atob(text.trim()), (char) => char.charCodeAt(0))

async function send(method, path, headers, body) {
  const key = document.getElementById('key').value
  const started = performance.now()
  const response = await fetch(new URL(path.replace(/^\//, ''), BASE), {
    method,
    headers: [...headers, ...(key === '' ? [] : [['authorization', `Bearer ${key}`]])],
    ...(body === '' || method === 'GET' ? {} : { body }),
  })
  const text = await response.text()
  const ms = Math.round(performance.now() - started)
  return `${response.status} in ${ms} ms\n${writeHeaders(Object.fromEntries(response.headers))}\n\n${pretty(text)}`
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

/** Builds the form that edits and sends an example. */
function showForm(operation) {
  const examples = examplesOf(operation)
  const path = make('input', { spellcheck: false })
  const headers = make('textarea', { rows: 2, spellcheck: false })
  const body = make('textarea', { rows: 8, spellcheck: false })
  const body_label = make('span')
  const answer = make('pre', { ariaLive: 'polite' })
  let request
  const choose = make(
    'select',
    { onchange: () => fill(examples[choose.selectedIndex].request) },
    ...examples.map(({ label }) => make('option', {}, label)),
  )
  function fill(chosen) {
    request = chosen
    path.value = chosen.path
    headers.value = writeHeaders(chosen.headers)
    body.value = chosen.body_base64 ?? pretty(chosen.body ?? '')
    body_label.textContent = 'body_base64' in chosen ? 'Body, in Base64' : 'Body'
    answer.textContent = ''
  }
  async function submit(event) {
    event.preventDefault()
    answer.textContent = '…'
    try {
      const bytes = 'body_base64' in request ? fromBase64(body.value) : body.value
      answer.textContent = await send(request.method, path.value, readHeaders(headers.value), bytes)
    } catch (error) {
      answer.textContent = `Not sent: ${error.message}`
    }
  }
  fill(examples[0].request)
  return make(
    'form',
    { onsubmit: submit },
    make('label', {}, 'Example', choose),
    make('label', { className: 'path' }, 'Path', path),
    make('label', {}, 'Headers', headers),
    ...(operation.requestBody === undefined ? [] : [make('label', {}, body_label, body)]),
    make('button', {}, 'Send'),
    answer,
  )
}

function showOperation(method, path, operation) {
  const { summary, description, parameters = [], requestBody, responses, security } = operation
  const scope = security[0]?.bearer?.[0]
  const details = make(
    'details',
    {},
    make(
      'summary',
      {},
      make('span', { className: 'method' }, method.toUpperCase()),
      code(path),
      ` ${summary}`,
      make('span', { className: 'scope' }, scope === undefined ? 'no key needed' : `scope ${scope}`),
    ),
  )
  function open() {
    details.append(
      make('p', {}, ...prose(description)),
      ...(parameters.length === 0 ? [] : [make('h3', {}, 'Parameters'), table(showParameters(parameters))]),
      ...(requestBody === undefined ? [] : [make('h3', {}, 'Body'), table(showContent(requestBody.content))]),
      make('h3', {}, 'Replies'),
      table(Object.entries(responses).map(([status, reply]) => [[code(status)], prose(reply.description)])),
      make('h3', {}, 'Try it'),
      showForm(operation),
    )
  }
  details.addEventListener('toggle', open, { once: true })
  return details
}

const showContent = (content) =>
  Object.entries(content).map(([type, { schema }]) => [
    [code(type)],
    [schemaText(schema)],
    prose(schema.description),
  ])

function show({ info, tags, paths, components }) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
  document
    .getElementById('about')
    .replaceChildren(
      ...prose(info.description),
      ` Version ${info.version}, `,
      make('a', { href: 'openapi.json' }, 'openapi.json'),
    )
  document
    .getElementById('operations')
    .append(
      ...tags.flatMap(({ name }) => [
        make('h2', {}, name),
        ...operations
          .filter(({ operation }) => operation.tags.includes(name))
          .map(({ method, path, operation }) => showOperation(method, path, operation)),
      ]),
      make('h2', {}, 'Schemas'),
      ...Object.entries(components.schemas).map(([name, schema]) =>
        make('details', {}, make('summary', {}, code(name)), json(schema)),
      ),
    )
}

try {
  const response = await fetch(new URL('openapi.json', BASE))
  if (!response.ok) throw new Error(`status ${response.status}`)
  show(await response.json())
} catch (error) {
  document.getElementById('about').textContent = `Cannot read openapi.json: ${error.message}`
}
