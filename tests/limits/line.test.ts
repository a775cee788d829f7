import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createLine, FULL } from '../../src/limits/line.ts'

interface Visit {
  id: number
  caller: string
}

/** The rules of the line, with lists that are searched. */
function createModel(running_max: number, waiting_max: number) {
  const running: Visit[] = []
  const waiting: Visit[] = []
  /** Names in the order of their turns. */
  const served: string[] = []
  const countOf = (visits: readonly Visit[], caller: string) =>
    visits.filter((visit) => visit.caller === caller).length
  const without = (visits: Visit[], visit: Visit) => visits.splice(visits.indexOf(visit), 1)
  const start = (visit: Visit) => {
    served.push(visit.caller)
    return running.push(visit) > 0
  }
  /** A caller that has left is new when it comes again. */
  const lastTurn = (caller: string) => (known.has(caller) ? served.lastIndexOf(caller) : -1)
  const known = new Set<string>()
  const forgetIdle = () => {
    for (const caller of known) {
      if (countOf(running, caller) + countOf(waiting, caller) > 0) continue
      known.delete(caller)
      for (const [i, name] of served.entries()) if (name === caller) served[i] = ''
    }
  }

  return {
    running,
    waiting,
    enter(id: number, caller: string): boolean {
      if (running.length < running_max) {
        known.add(caller)
        return start({ id, caller })
      }
      if (waiting.length >= waiting_max || countOf(waiting, caller) * 2 >= waiting_max) return false
      known.add(caller)
      return waiting.push({ id, caller }) > 0
    },
    leave(visit: Visit): void {
      without(running, visit)
      // The sort is stable: among new callers the first to wait is the first.
      const [next] = waiting.toSorted(
        (a, b) =>
          countOf(running, a.caller) - countOf(running, b.caller) || lastTurn(a.caller) - lastTurn(b.caller),
      )
      if (next !== undefined) {
        without(waiting, next)
        start(next)
      }
      forgetIdle()
    },
    giveUp(visit: Visit): void {
      without(waiting, visit)
      forgetIdle()
    },
  }
}

describe('the line', () => {
  const never = new AbortController().signal

  it('lets in so many, keeps so many waiting in order, and refuses the next', async () => {
    const line = createLine(2, 4)
    const leave = await enter(line)
    await enter(line)
    const order: number[] = []
    const third = line.enter('a', never).then((turn) => {
      order.push(3)
      return turn
    })
    const fourth = line.enter('a', never).then(() => order.push(4))
    assert.equal(await line.enter('a', never), FULL)
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

  it('keeps half of its places for others, and gives the next turn to who has none', async () => {
    const line = createLine(2, 5)
    const turns = [await enter(line), await enter(line)]
    const order: string[] = []
    const wait = (caller: string) =>
      line.enter(caller, never).then((turn) => {
        assert.ok(turn !== FULL)
        order.push(caller)
        return turn
      })
    const waiting = [wait('a'), wait('a'), wait('a')]
    assert.equal(await line.enter('a', never), FULL)
    waiting.push(wait('b'), wait('c'))
    assert.equal(await line.enter('d', never), FULL)
    turns[0]!()
    const b = await waiting[3]!
    turns[1]!()
    const c = await waiting[4]!
    b()
    c()
    await Promise.all(waiting.slice(0, 2))
    assert.deepEqual(order, ['b', 'c', 'a', 'a'])
    assert.deepEqual([line.running, line.waiting], [2, 1])
  })

  it('serves as its model does, whatever comes and goes', async () => {
    const step = fc.oneof(
      fc.record({ enters: fc.constantFrom('a', 'b', 'c', 'd') }),
      fc.record({ leaves: fc.nat(9) }),
      fc.record({ gives_up: fc.nat(9) }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.nat(8),
        fc.array(step, { maxLength: 40 }),
        async (running_max, waiting_max, steps) => {
          const line = createLine(running_max, waiting_max)
          const model = createModel(running_max, waiting_max)
          const leaves = new Map<number, () => void>()
          const clients = new Map<number, AbortController>()
          for (const [id, todo] of steps.entries()) {
            if ('enters' in todo) {
              const client = new AbortController()
              const entering = line.enter(todo.enters, client.signal)
              if (model.enter(id, todo.enters)) {
                clients.set(id, client)
                void entering.then(
                  (leave) => leaves.set(id, leave as () => void),
                  () => {},
                )
              } else assert.equal(await entering, FULL)
            } else if ('leaves' in todo) {
              const ended = model.running[todo.leaves]
              if (ended === undefined) continue
              model.leave(ended)
              leaves.get(ended.id)!()
              leaves.delete(ended.id)
            } else {
              const left = model.waiting[todo.gives_up]
              if (left === undefined) continue
              model.giveUp(left)
              clients.get(left.id)!.abort(new Error('gone'))
            }
            for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
            assert.deepEqual(
              [...leaves.keys()].toSorted((a, b) => a - b),
              model.running.map((visit) => visit.id).toSorted((a, b) => a - b),
            )
            assert.deepEqual([line.running, line.waiting], [model.running.length, model.waiting.length])
          }
        },
      ),
      { numRuns: 300 },
    )
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
    const waiting = line.enter('a', client.signal)
    client.abort(new Error('gone'))
    await assert.rejects(waiting, /gone/)
    await assert.rejects(line.enter('a', client.signal), /gone/)
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
              const entering = line.enter('a', client.signal)
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
    const leave = await line.enter('a', never)
    assert.ok(leave !== FULL)
    return leave
  }
})
