import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { sharedStore } from '../support/shared-store.ts'
import { JSON_TYPE, MARKER } from '../support/posting.ts'
import { eventOf } from '../support/wire.ts'
import { untilLogged } from '../support/log-lines.ts'

describe('a reply and the log', { timeout: HANGS_AFTER_MS }, () => {
  const service = sharedStore()
  const send = (body: string, headers: Record<string, string> = JSON_TYPE) =>
    fetch(`${service.url}/events`, { method: 'POST', headers, body })

  it('never repeats what the client sent, neither in a reply nor in the log', async () => {
    const bad = [
      MARKER,
      [MARKER],
      { [MARKER]: MARKER },
      eventOf({ event_id: MARKER }),
      eventOf({ event_id: { [MARKER]: 1 } }),
      eventOf({ occurred_at: MARKER }),
      eventOf({ occurred_at: `2025-01-01T00:00:00Z${MARKER}` }),
      eventOf({ user_id: MARKER.repeat(99) }),
      eventOf({ user_id: [MARKER] }),
      eventOf({ event_type: MARKER.repeat(99) }),
      eventOf({ event_type: { [MARKER]: MARKER } }),
      eventOf({ properties: MARKER }),
      eventOf({ properties: { [MARKER]: MARKER.repeat(9_999) } }),
      eventOf({ properties: { [`${MARKER}\uD800`]: MARKER } }),
      eventOf({ [MARKER]: MARKER }),
    ]
    const good = eventOf({ user_id: MARKER, event_type: MARKER, properties: { [MARKER]: MARKER } })
    const bodies = [
      MARKER,
      `"${MARKER}"`,
      `{"${MARKER}":1}`,
      `[{"${MARKER}":]`,
      `[${MARKER}]`,
      JSON.stringify(bad),
      JSON.stringify([good]),
      JSON.stringify([good, ...bad]),
    ]
    const replies: Response[] = []
    for (const body of bodies) {
      for (const query of ['', '?strict=true', `?strict=${MARKER}`, `?${MARKER}=1`]) {
        replies.push(
          await fetch(`${service.url}/events${query}`, { method: 'POST', headers: JSON_TYPE, body }),
        )
      }
      replies.push(await send(body, { 'content-type': `text/${MARKER}` }))
      replies.push(await send(body, { ...JSON_TYPE, 'content-encoding': MARKER }))
      replies.push(
        await send(body, {
          ...JSON_TYPE,
          'x-request-id': MARKER,
          authorization: MARKER,
          'x-api-key': MARKER,
        }),
      )
    }
    const questions = [
      `/${MARKER}`,
      `/events/${MARKER}?${MARKER}=${MARKER}`,
      `/stats/${MARKER}`,
      `/stats/dau?from=${MARKER}&to=${MARKER}`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&${MARKER}=1`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&segment=${MARKER}`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&segment=${MARKER}:1`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&properties.${MARKER}=`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&properties.${MARKER}=${MARKER}`,
      `/stats/top-events?from=2025-01-01&to=2025-01-02&limit=${MARKER}`,
      `/stats/retention?start_date=${MARKER}&windows=${MARKER}&window=${MARKER}`,
    ]
    for (const question of questions) replies.push(await fetch(service.url + question))
    replies.push(await fetch(`${service.url}/livez?${MARKER}`, { method: 'DELETE' }))
    for (const reply of replies) {
      assert.ok(!(await reply.text()).includes(MARKER), `${reply.status} ${reply.url}`)
      assert.ok(!JSON.stringify([...reply.headers]).includes(MARKER), `${reply.status} ${reply.url}`)
    }
    const last = replies.at(-1)!.headers.get('x-request-id')
    await untilLogged(service, (line) => line['request_id'] === last)
    assert.ok(!service.log.some((line) => line.includes(MARKER)))
    assert.ok(!service.log.some((line) => line.includes('request failed')))
  })
})
