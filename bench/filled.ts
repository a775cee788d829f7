import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Day } from '../src/event/time.ts'
import { openLayout } from '../src/store/layout.ts'
import { openStore } from '../src/store/sqlite.ts'
import type { IdVersion } from './benchmark.ts'
import { fillDay, fillEvents } from './fill.ts'
import type { LimitOrder } from './limit.ts'
import { runApart } from './process.ts'

/** Databases that hold rows before a load begins: each is made once and then copied. */
export interface Filled {
  /** Puts a copy into a folder that is to become a store. */
  copyStore(rows: number, id_version: IdVersion, data_dir: string): Promise<void>
  /** The same, with all rows on one day. */
  copyDay(rows: number, day: Day, data_dir: string): void
  /** @returns the path of a copy for the limit */
  copyPlain(rows: number, id_version: IdVersion): Promise<string>
}

export function createFilled(): Filled {
  const folder = mkdtempSync(join(tmpdir(), 'frostline-filled-'))
  process.once('exit', () => rmSync(folder, { recursive: true }))
  const pathOf = (kind: string, rows: number, id_version: IdVersion) =>
    join(folder, `${kind}-${rows}-v${id_version}.db`)
  return {
    copyStore(rows, id_version, data_dir) {
      const made = pathOf('store', rows, id_version)
      if (!existsSync(made)) {
        const db = openStore(made)
        fillEvents(db, rows, id_version)
        db.close()
      }
      copyFileSync(made, openLayout(data_dir).database)
      return Promise.resolve()
    },
    copyDay(rows, day, data_dir) {
      const made = join(folder, `day-${rows}-${day}.db`)
      if (!existsSync(made)) {
        const db = openStore(made)
        fillDay(db, day, rows)
        db.close()
      }
      copyFileSync(made, openLayout(data_dir).database)
    },
    async copyPlain(rows, id_version) {
      const made = pathOf('plain', rows, id_version)
      if (!existsSync(made))
        await runApart<number>('limit', {
          act: 'fill',
          database: made,
          rows,
          id_version,
        } satisfies LimitOrder)
      const copy = `${made}.copy`
      copyFileSync(made, copy)
      return copy
    },
  }
}
