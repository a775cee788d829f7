import * as v from 'valibot'

/** Lengths of time as people write them: `90s`, `30m`, `2h`, `7d`. */

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const

/** @returns a schema that gives seconds */
export function duration(seconds_max: number) {
  const message = `must be a time such as 90s, 30m, 2h or 7d, at most ${seconds_max / UNIT_SECONDS.d}d`
  return v.pipe(
    v.string(message),
    v.metadata({ json_schema: { type: 'string', pattern: '^\\d{1,8}[smhd]$' } }),
    v.regex(/^\d{1,8}[smhd]$/, message),
    v.transform((text) => Number(text.slice(0, -1)) * UNIT_SECONDS[text.at(-1) as keyof typeof UNIT_SECONDS]),
    v.minValue(1, message),
    v.maxValue(seconds_max, message),
  )
}
