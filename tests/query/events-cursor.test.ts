import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { howMany } from '../support/counts.ts'
import { AUGUST, serveReading } from '../support/reading-events.ts'
import type { Page } from '../support/reading-events.ts'
import { sampleEvents } from '../support/sample.ts'
import { getReply } from '../support/wire.ts'

describe('reading events back', () => {
  const home = serveReading()
  const { page, put, refused } = home

  describe('with a cursor', () => {
    let cursor: string
    const USERS = 'user_id=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20'
    before(async () => {
      await put(sampleEvents(5, 30, '2025-08-01', 2))
      cursor = (await page(`${AUGUST}&${USERS}&limit=3`)).next_cursor!
      assert.notEqual(cursor, null)
    })

    it('takes another limit, format and spelling of the same filters', async () => {
      const expected = (await page(`${AUGUST}&${USERS}&limit=4&cursor=${cursor}`)).data
      const reversed = `segment=user_id:${USERS.slice('user_id='.length).split(',').toReversed().join(',')}`
      for (const query of [`${AUGUST}&${reversed}`, USERS]) {
        assert.deepEqual((await page(`${query}&limit=4&cursor=${cursor}`)).data, expected)
      }
      const lines = (
        await getReply(`${home.store.url}/events?${USERS}&limit=4&format=ndjson&cursor=${cursor}`)
      ).text
      assert.deepEqual(
        lines
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
        expected,
      )
    })

    it('refuses other filters and days', async () => {
      for (const query of [
        AUGUST,
        `${AUGUST}&${USERS}&event_type=purchase`,
        `${AUGUST}&${USERS},21`,
        `${AUGUST}&${USERS.replace('user_id=', 'event_type=')}`,
        `${AUGUST}&${USERS.replace('user_id=', 'properties.user_id=')}`,
        `from=2025-08-02&to=2025-08-31&${USERS}`,
        `from=2025-08-01&to=2025-08-30&${USERS}`,
      ]) {
        const { errors } = await refused(`${query}&cursor=${cursor}`)
        assert.deepEqual(
          errors.map(({ path }) => path),
          ['cursor'],
          query,
        )
      }
    })

    it('refuses every change of it, and what never was one', async () => {
      const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const changed = [...cursor].map((char, i) => {
        const other = ALPHABET[(ALPHABET.indexOf(char) ^ (1 << (i % 6))) & 63]!
        return cursor.slice(0, i) + other + cursor.slice(i + 1)
      })
      const wrong = [
        '',
        'x',
        '%00',
        cursor.slice(1),
        `${cursor}A`,
        `${cursor}=`,
        cursor.repeat(50),
        `${cursor.slice(1)}%2B`,
        `${cursor.slice(1)}%F0`,
      ]
      for (const text of [...changed, ...wrong]) {
        const { errors } = await refused(`${AUGUST}&${USERS}&cursor=${text}`)
        assert.deepEqual(
          errors.map(({ path }) => path),
          ['cursor'],
          text,
        )
        assert.ok(errors.every(({ message }) => !message.includes(cursor.slice(8, 24))))
      }
      assert.equal(
        (await refused(`${AUGUST}&${USERS}&cursor=${cursor}&cursor=${cursor}`)).errors[0]!.path,
        'cursor',
      )
    })

    it('skips nothing and gives nothing twice while rows move to cold, files merge and events arrive', async () => {
      const days = 'from=2025-09-01&to=2025-09-02'
      const all = sampleEvents(6, howMany('events_read_while_rows_move'), '2025-09-01', 2)
      await put(all)
      const seen: string[] = []
      let next: string | null = ''
      for (let round = 0; next !== null; round += 1) {
        const read: Page = await page(`${days}&limit=2${next === '' ? '' : `&cursor=${next}`}`)
        seen.push(...read.data.map(({ event_id }) => event_id))
        next = read.next_cursor
        // On both sides of the cursor. Every sixth compaction merges.
        await put(sampleEvents(100 + round, 2, '2025-09-01', 2))
        if (round % 2 === 0) await home.store.compact()
      }
      assert.equal(new Set(seen).size, seen.length)
      assert.deepEqual(
        all.filter(({ event_id }) => !seen.includes(event_id)),
        [],
      )
    })
  })
})
