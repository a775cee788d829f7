/** What examples of several questions share. */

export const EXAMPLE_RANGE = 'from=2025-08-01&to=2025-08-03'

export const MISSING_TO = { errors: [{ path: 'to', message: 'is required, as YYYY-MM-DD' }] }
