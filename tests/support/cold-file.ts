import type { ColdFile } from '../../src/store/catalog.ts'

/** What the catalog says of a file that need not exist. */
export function coldFileOf(file: Pick<ColdFile, 'path' | 'day' | 'rows'>): ColdFile {
  return { ...file, bytes: 1, min_ts: 0, max_ts: 0, checksum: '', id_digest: '', origin: 'compaction' }
}
