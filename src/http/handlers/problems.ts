import type { Context } from 'hono'
import { html } from 'hono/html'
import { PROBLEM_CODES, PROBLEMS, problemType } from '../../problem/problems.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import { Problem } from '../../problem/problem.ts'
import { acceptedFormat, CONTENT_TYPES } from '../../query/format.ts'
import type { Handlers } from '../handler.ts'

/** `/problems`: what the `type` of a problem document means, for programs as JSON and for browsers as HTML. */

export const NO_SUCH_PROBLEM = 'GET /problems lists all problems.'

export function explainProblem(code: ProblemCode) {
  const { status, title, meaning, remedy } = PROBLEMS[code]
  return { type: problemType(code), title, status, meaning, remedy }
}

type Explained = ReturnType<typeof explainProblem>

export function problemHandlers(): Handlers<'GET /problems' | 'GET /problems/:code'> {
  return {
    'GET /problems': (c) =>
      answer(c, { data: PROBLEM_CODES.map(explainProblem) }, ({ data }) =>
        page(
          'Problems',
          html`<ul>
            ${data.map(({ type, title }) => html`<li><a href="${type}">${type}</a>: ${title}</li>`)}
          </ul>`,
        ),
      ),
    'GET /problems/:code'(c) {
      const code = PROBLEM_CODES.find((known) => known === c.req.param('code'))
      if (code === undefined) throw new Problem('not_found', NO_SUCH_PROBLEM)
      return answer(c, explainProblem(code), problemPage)
    },
  }
}

function answer<T extends object>(
  c: Context,
  value: T,
  write: (value: T) => Markup,
): Response | Promise<Response> {
  c.header('vary', 'Accept', { append: true })
  return acceptedFormat(['json', 'html'], c.req.header('accept')) === 'html'
    ? c.html(write(value), 200, { 'content-type': CONTENT_TYPES.html })
    : c.json(value)
}

type Markup = ReturnType<typeof html>

function problemPage({ type, title, status, meaning, remedy }: Explained): Markup {
  return page(
    title,
    html`<p>Status ${status}, type <code>${type}</code></p>
      <p>${meaning}</p>
      <p>${remedy}</p>
      <p><a href="/problems">All problems</a></p>`,
  )
}

function page(title: string, body: Markup): Markup {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${title}</title>
      </head>
      <body>
        <h1>${title}</h1>
        ${body}
      </body>
    </html>`
}
