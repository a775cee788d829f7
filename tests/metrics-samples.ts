import { eventOf } from './wire.ts'

/** What never happens is waited for in vain; better to fail than to hang. */
export const HANGS_AFTER_MS = 600_000

export const DAY = 'from=2025-08-01&to=2025-08-01'

export const bad = () => eventOf({ user_id: '' })
