import type { Layout } from '../../../src/store/layout.ts'
import { openStore } from '../../../src/store/sqlite.ts'
import { filesBelow } from '../../support/in-process.ts'

/** Files and rows that a finished compaction should have cleared away. */
export function findStrays(layout: Layout): string[] {
  const db = openStore(layout.database)
  try {
    const listed = new Set(db.prepare('SELECT path FROM cold_files').pluck().all())
    const segments = new Set(db.prepare('SELECT path FROM id_segments').pluck().all())
    const on_disk = new Set(filesBelow(layout.cold))
    const sealed = db
      .prepare('SELECT count(*) FROM events JOIN cold_days USING (day) WHERE seq <= sealed_through')
      .pluck()
      .get() as number
    return [
      ...[...on_disk].filter((path) => !listed.has(path)).map((path) => `cold/${path} is not listed`),
      ...[...listed]
        .filter((path) => !on_disk.has(String(path)))
        .map((path) => `cold/${String(path)} is missing`),
      ...filesBelow(layout.ids)
        .filter((path) => !segments.has(path))
        .map((path) => `ids/${path} is not listed`),
      ...filesBelow(layout.staging).map((path) => `staging/${path}`),
      ...filesBelow(layout.spill).map((path) => `spill/${path}`),
      ...(sealed > 0 ? [`${sealed} sealed rows in hot`] : []),
      ...(db.prepare('SELECT path FROM replaced_files').pluck().all() as string[]).map(
        (p) => `replaced ${p}`,
      ),
    ]
  } finally {
    db.close()
  }
}
