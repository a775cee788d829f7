import assert from 'node:assert/strict'
import { readCatalog } from '../../src/store/catalog.ts'
import type { ColdFile } from '../../src/store/catalog.ts'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import type { Layout } from '../../src/store/layout.ts'
import { verifyStore } from '../../src/verify/verify.ts'
import type { InProcessStore } from './in-process.ts'
import { sampleEvents } from './sample.ts'
import { post } from './store.ts'

export function verify(layout: Layout, deep: boolean, disk: ColdDisk = realDisk) {
  return verifyStore({ layout, disk, memory_mb: 256, threads: 1, onProgress() {} }, deep)
}

/** What is wrong, as a person reads it. */
export async function damageOf(layout: Layout, deep: boolean): Promise<string[]> {
  const { damage } = await verify(layout, deep)
  return damage.map(({ path, what }) => `${path} ${what}`)
}

/** Three cold days, the first in two files, and a hot one. */
export async function fill(home: InProcessStore): Promise<void> {
  const post1 = async (seed: number, count: number, from: string, days: number) => {
    const { json } = await post(`${home.url}/events`, sampleEvents(seed, count, from, days))
    assert.equal(json['accepted'], count)
  }
  await post1(1, 900, '2025-08-01', 3)
  await home.compact()
  await post1(2, 100, '2025-08-01', 1)
  await home.compact()
  await post1(3, 400, '2025-08-04', 1)
}

export const filesOf = (home: InProcessStore): ColdFile[] => home.inSqlite((db) => readCatalog(db).files)
