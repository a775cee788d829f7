import type { Context, MiddlewareHandler } from 'hono'
import type { AdmissionEnv } from './admission.ts'
import type { RouteName } from './routes.ts'

/** What a route's function gets, and what it leaves for the log. */
export interface Env {
  Variables: AdmissionEnv['Variables'] & {
    request_id: string
    /** How many events a request brought. */
    events?: number
    /** Why a request failed; stays in the log. */
    internal?: unknown
  }
}

export type Handler = (c: Context<Env>) => Response | Promise<Response>

/** The functions of some routes, by the name under which ROUTES lists them; with what must look at the request first. */
export type Handlers<Name extends RouteName> = Readonly<
  Record<Name, Handler | readonly [MiddlewareHandler<Env>, Handler]>
>
