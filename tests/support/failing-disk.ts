import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'

/** Every call that changes the disk or makes it durable is counted; the n-th fails. */
export function failingDisk(failing: number): ColdDisk {
  let calls = 0
  const step = <A extends unknown[], R>(act: (...args: A) => R) =>
    function maybeFail(...args: A): R {
      calls += 1
      if (calls === failing) throw new Error('the disk is full')
      return act(...args)
    }
  const sync = step(realDisk.sync)
  return {
    ...realDisk,
    makeFolder: step(realDisk.makeFolder),
    sync,
    async syncAll(paths) {
      for (const path of paths) sync(path)
    },
    rename: step(realDisk.rename),
    remove: step(realDisk.remove),
    size: step(realDisk.size),
    checksum: step(realDisk.checksum),
  }
}
