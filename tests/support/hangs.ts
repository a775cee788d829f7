/** What never happens is waited for in vain: better to fail than to hang. Generous, since nothing is measured by it. */
export const HANGS_AFTER_MS = 600_000
