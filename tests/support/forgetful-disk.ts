import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'

/**
 * A disk that can say at any moment what would be left of it if power was lost: of a file, the bytes at its last sync; of a folder,
 * the names at its last sync. SQLite syncs its own files with each commit, so of these all that is committed is left.
 */
export interface ForgetfulDisk extends ColdDisk {
  /** What would be left, before each call that changes something and before each sync, in order. */
  readonly moments: Moment[]
  /** Adds the moment that is now. */
  note(before: string): void
}

export interface Moment {
  /** What was about to be done. */
  before: string
  /** Contents of files, null for folders; paths are relative to the folder that the disk was made for. */
  left: ReadonlyMap<string, Buffer | null>
}

type Entry = { kind: 'file'; synced: Buffer } | { kind: 'folder'; synced: Map<string, Entry> }

const NOTHING = Buffer.alloc(0)

/**
 * @param root everything that lies below it now is there for good
 * @param sqlite its files, relative to the root
 */
export function createForgetfulDisk(root: string, sqlite: readonly string[] = []): ForgetfulDisk {
  const moments: Moment[] = []
  /** What stands under a path now, whether or not it would be left. */
  const now = new Map<string, Entry>()

  function entryAt(path: string): Entry {
    const known = now.get(path)
    if (known !== undefined) return known
    const entry: Entry = statSync(path).isDirectory()
      ? { kind: 'folder', synced: new Map() }
      : { kind: 'file', synced: NOTHING }
    now.set(path, entry)
    return entry
  }

  function keep(path: string): void {
    const entry = entryAt(path)
    if (entry.kind === 'file') entry.synced = readFileSync(path)
    else entry.synced = new Map(readdirSync(path).map((name) => [name, entryAt(join(path, name))]))
  }

  function keepAll(path: string): void {
    keep(path)
    if (entryAt(path).kind === 'folder') for (const name of readdirSync(path)) keepAll(join(path, name))
  }

  function forget(path: string): void {
    for (const known of now.keys()) if (known === path || known.startsWith(path + sep)) now.delete(known)
  }

  function collect(path: string, entry: Entry, left: Map<string, Buffer | null>): void {
    left.set(path, entry.kind === 'file' ? entry.synced : null)
    if (entry.kind === 'folder')
      for (const [name, below] of entry.synced) collect(join(path, name), below, left)
  }

  function note(before: string): void {
    const left = new Map<string, Buffer | null>()
    collect('', entryAt(root), left)
    for (const name of sqlite) {
      const path = join(root, name)
      if (statSync(path, { throwIfNoEntry: false }) === undefined) left.delete(name)
      else left.set(name, readFileSync(path))
    }
    moments.push({ before, left })
  }

  const noted = (what: string, path: string, act: () => void) => {
    note(`${what} ${relative(root, path)}`)
    act()
  }

  keepAll(root)
  return {
    ...realDisk,
    moments,
    note,
    makeFolder: (path, mode) => noted('make', path, () => realDisk.makeFolder(path, mode)),
    sync: (path) => noted('sync', path, () => keep(path)),
    async syncAll(paths) {
      for (const path of paths) noted('sync', path, () => keep(path))
    },
    rename: (from, to) =>
      noted('rename', from, () => {
        realDisk.rename(from, to)
        const entry = now.get(from) ?? entryAt(to)
        forget(to)
        now.set(to, entry)
        for (const known of [...now.keys()].filter((path) => path.startsWith(from + sep)))
          now.set(to + known.slice(from.length), now.get(known)!)
        forget(from)
      }),
    remove: (path) =>
      noted('remove', path, () => {
        realDisk.remove(path)
        forget(path)
      }),
    removeIfEmpty: (path) =>
      noted('remove if empty', path, () => {
        realDisk.removeIfEmpty(path)
        if (statSync(path, { throwIfNoEntry: false }) === undefined) forget(path)
      }),
  }
}

/** Makes a folder hold what was left at a moment, and nothing else. */
export function restore(moment: Moment, root: string): void {
  rmSync(root, { recursive: true, force: true })
  for (const [path, content] of moment.left) {
    if (content === null) mkdirSync(join(root, path), { recursive: true })
    else {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      // A power cut opens no file to others.
      writeFileSync(join(root, path), content, { mode: 0o600 })
    }
  }
}
