import { isKeyName, KEY_NAME_CHARS_MAX } from '../auth/keys.ts'
import { parseScopes, SCOPES } from '../auth/scope.ts'
import type { Scope } from '../auth/scope.ts'
import { readUserName, USER_NAME_CHARS_MAX } from '../auth/users.ts'
import { DEMO_DAYS_MAX, DEMO_DAYS_MIN } from '../demo/run.ts'
import * as v from 'valibot'
import { ENV_SCHEMA } from '../config.ts'
import { CSV_COLUMNS } from '../event/csv-header.ts'
import type { CsvColumn } from '../event/csv-header.ts'

/** Kinds of values on a command line. */
export interface Kind<T> {
  /** Completes the sentence `--wait …`. */
  rule: string
  /** Null if the text breaks the rule. */
  read(text: string): T | null
}

const SECONDS_MAX = 86_400

export const TEXT: Kind<string> = {
  rule: 'must not be empty',
  read: (text) => text || null,
}

export const SECONDS: Kind<number> = {
  rule: `must be a number of seconds from 0 to ${SECONDS_MAX}`,
  read: (text) => (/^\d{1,5}(\.\d+)?$/.test(text) && Number(text) <= SECONDS_MAX ? Number(text) : null),
}

export const ID: Kind<number> = {
  rule: 'must be a number',
  read: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : null),
}

export const DEMO_DAY_COUNT: Kind<number> = {
  rule: `must be a number of days from ${DEMO_DAYS_MIN} to ${DEMO_DAYS_MAX}`,
  read: (text) =>
    /^\d{1,3}$/.test(text) && Number(text) >= DEMO_DAYS_MIN && Number(text) <= DEMO_DAYS_MAX
      ? Number(text)
      : null,
}

export const SCOPE_LIST: Kind<Scope[]> = {
  rule: `must be one or several of ${SCOPES.join(', ')}`,
  read: parseScopes,
}

export const KEY_NAME: Kind<string> = {
  rule: `must have 1 to ${KEY_NAME_CHARS_MAX} printable characters, and no space at either end`,
  read: (text) => (isKeyName(text) ? text : null),
}

export const USER_NAME: Kind<string> = {
  rule: `must have 1 to ${USER_NAME_CHARS_MAX} characters of a-z 0-9 . _ @ + -, the first and last a letter or digit`,
  read: readUserName,
}

/** Of one value of {@link choice}. */
export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    rule: `must be ${values.join(' or ')}`,
    read: (text) => values.find((value) => value === text) ?? null,
  }
}

export const COLUMN_MAP: Kind<ReadonlyMap<string, CsvColumn>> = {
  rule: `must be name=column pairs with commas between them, the columns of ${CSV_COLUMNS.join(', ')}`,
  read(text) {
    const pairs = text.split(',').map((pair) => pair.split('='))
    const map = new Map<string, CsvColumn>()
    for (const [name = '', to, ...rest] of pairs) {
      const column = CSV_COLUMNS.find((known) => known === to)
      if (column === undefined || name === '' || rest.length > 0) return null
      map.set(name, column)
    }
    return map
  },
}

/** Of an option that stands for a variable. The text is left as it is: the configuration reads it. */
export function settingKind(name: keyof typeof ENV_SCHEMA.entries): Kind<string> {
  const faultOf = (text: string) => v.safeParse(ENV_SCHEMA.entries[name], text).issues?.[0].message ?? null
  return {
    rule: faultOf('')!.slice(`${name} `.length),
    read: (text) => (faultOf(text) === null ? text : null),
  }
}
