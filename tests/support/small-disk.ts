import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own, or null where mounting is not permitted. */
export function mountSmall(size_mb: number): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'frostline-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size_mb}m`, 'frostline-test', dir], {
      stdio: 'ignore',
    })
    return dir
  } catch {
    rmdirSync(dir)
    return null
  }
}

export function unmount(dir: string): void {
  // Lazy: also when something that the test left behind still has a file open there.
  execFileSync('umount', ['-l', dir], { stdio: 'ignore' })
  rmdirSync(dir)
}

/** Takes all free space but some. */
export function fillUp(path: string, leave_bytes: number): void {
  const chunk = Buffer.alloc(64 * 1024, 1)
  const fd = openSync(path, 'w')
  let bytes = 0
  try {
    for (let n = chunk.length; n > 0;) {
      try {
        bytes += writeSync(fd, chunk, 0, n)
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
        n = n > 1 ? Math.floor(n / 2) : 0
      }
    }
  } finally {
    closeSync(fd)
  }
  truncateSync(path, Math.max(0, bytes - leave_bytes))
}
