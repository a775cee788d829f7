import type { Context, MiddlewareHandler } from 'hono'
import type { AdmissionEnv } from './admission.ts'
import type { RouteName } from './routes.ts'

/** Types that all handlers share, and the variables that they leave for the log. */
export interface Env {
  Variables: AdmissionEnv['Variables'] & {
    request_id: string
    /** Number of events in the request. */
    events?: number
    /** Why the request failed; logged, never sent. */
    internal?: unknown
  }
}

export type Handler = (c: Context<Env>) => Response | Promise<Response>

/** Handlers by route name, each with an optional middleware that runs first. */
export type Handlers<Name extends RouteName> = Readonly<
  Record<Name, Handler | readonly [MiddlewareHandler<Env>, Handler]>
>
