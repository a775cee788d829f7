import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { watchDiskSpace } from '../../src/store/space.ts'

/** Lets promises that are ready go on. */
const settle = () =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

function watch(read: () => Promise<number>) {
  const told: unknown[] = []
  const space = watchDiskSpace({
    path: '.',
    floor_bytes: 100,
    read,
    onChange: (full) => told.push(full),
    onTrouble: (error) => told.push(String(error)),
  })
  return { space, told }
}

describe('the watch over free space', () => {
  it('is full below its floor and not at it, and tells each change once', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let free = 100
    const { space, told } = watch(async () => free)
    const { full, stop } = await space
    assert.equal(full, false)
    for (const [bytes, expected] of [
      [99, true],
      [0, true],
      [100, false],
      [99, true],
    ] as const) {
      free = bytes
      t.mock.timers.tick(1_000)
      await settle()
      assert.equal((await space).full, expected, String(bytes))
    }
    assert.deepEqual(told, [true, false, true])
    stop()
  })

  it('never looks before a second has passed, nor while a look has not ended, nor after its stop', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let looks = 0
    const ends: ((free: number) => void)[] = []
    const { space } = watch(() => {
      looks += 1
      return looks === 1 ? Promise.resolve(100) : new Promise((resolve) => ends.push(resolve))
    })
    const { stop } = await space
    t.mock.timers.tick(999)
    assert.equal(looks, 1)
    t.mock.timers.tick(5_000)
    assert.equal(looks, 2)
    ends.pop()!(100)
    await settle()
    t.mock.timers.tick(1_000)
    assert.equal(looks, 3)
    ends.pop()!(100)
    await settle()
    stop()
    t.mock.timers.tick(9_000)
    assert.equal(looks, 3)
  })

  it('takes events when the free space cannot be read, and says so once', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const { space, told } = watch(() => Promise.reject(new Error('no statfs')))
    t.mock.timers.tick(1_000)
    await settle()
    t.mock.timers.tick(1_000)
    await settle()
    assert.equal((await space).full, false)
    assert.deepEqual(told, ['Error: no statfs'])
    ;(await space).stop()
  })

  it('takes events again when the space of a full disk cannot be read any more, and tells of trouble that comes back', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const looks = [
      () => Promise.resolve(99),
      () => Promise.reject(new Error('no statfs')),
      () => Promise.resolve(100),
      () => Promise.reject(new Error('none again')),
    ]
    const { space, told } = watch(() => looks.shift()!())
    const { stop } = await space
    assert.equal((await space).full, true)
    for (const full of [false, false, false]) {
      t.mock.timers.tick(1_000)
      await settle()
      assert.equal((await space).full, full)
    }
    assert.deepEqual(told, [true, 'Error: no statfs', 'Error: none again'])
    stop()
  })
})
