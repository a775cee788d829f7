import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createLine, FULL } from '../../src/limits/line.ts'

describe('the line', () => {
  const never = new AbortController().signal

  it('lets in so many, keeps so many waiting in order, and refuses the next', async () => {
    const line = createLine(2, 2)
    const leave = await enter(line)
    await enter(line)
    const order: number[] = []
    const third = line.enter(never).then((turn) => {
      order.push(3)
      return turn
    })
    const fourth = line.enter(never).then(() => order.push(4))
    assert.equal(await line.enter(never), FULL)
    assert.deepEqual([line.running, line.waiting], [2, 2])
    leave()
    const turn = await third
    assert.deepEqual([line.running, line.waiting], [2, 1])
    assert.ok(turn !== FULL)
    turn()
    await fourth
    assert.deepEqual(order, [3, 4])
    assert.deepEqual([line.running, line.waiting], [2, 0])
  })

  it('ends a turn once, however often it is said', async () => {
    const line = createLine(1, 1)
    const leave = await enter(line)
    leave()
    leave()
    assert.equal(line.running, 0)
    await enter(line)
    leave()
    assert.equal(line.running, 1)
  })

  it('forgets who gives up while waiting, and refuses who has given up before', async () => {
    const line = createLine(1, 5)
    const leave = await enter(line)
    const client = new AbortController()
    const waiting = line.enter(client.signal)
    client.abort(new Error('gone'))
    await assert.rejects(waiting, /gone/)
    await assert.rejects(line.enter(client.signal), /gone/)
    assert.deepEqual([line.running, line.waiting], [1, 0])
    leave()
    assert.equal(line.running, 0)
  })

  it('never has more running than its limit and ends empty, whatever comes and goes', async () => {
    const visit = fc.record({ gives_up: fc.boolean(), steps: fc.nat(4) })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.nat(6),
        fc.array(visit, { maxLength: 20 }),
        async (running_max, waiting_max, visits) => {
          const line = createLine(running_max, waiting_max)
          let inside = 0
          await Promise.all(
            visits.map(async ({ gives_up, steps }) => {
              const client = new AbortController()
              const entering = line.enter(client.signal)
              if (gives_up) client.abort(new Error('gone'))
              const leave = await entering.catch(() => FULL)
              if (leave === FULL) return
              inside += 1
              assert.ok(inside <= running_max)
              for (let n = 0; n < steps; n += 1) await Promise.resolve()
              inside -= 1
              ;(leave as () => void)()
            }),
          )
          assert.deepEqual([line.running, line.waiting], [0, 0])
        },
      ),
    )
  })

  async function enter(line: ReturnType<typeof createLine>): Promise<() => void> {
    const leave = await line.enter(never)
    assert.ok(leave !== FULL)
    return leave
  }
})
