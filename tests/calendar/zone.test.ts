import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hoursOf, intervalsOf } from '../../src/calendar/interval.ts'
import { isZone, localDayOf, offsetsBetween } from '../../src/calendar/zone.ts'
import { formatDay, formatInstant, parseDay, parseInstant } from '../../src/event/time.ts'

const LONG_AFTER = parseInstant('2030-01-01')!
const day = (text: string) => parseDay(text)!
const zoneOf = (zone: string, week_start: 'monday' | 'sunday' = 'monday') => ({ zone, week_start })
const hours = (date: string, zone: string) =>
  hoursOf(day(date), day(date), zoneOf(zone), LONG_AFTER).map(({ label }) => label)

/** Changes of the offset: the instant in UTC and the new offset in minutes. */
const offsetChanges = (zone: string, from: string, to: string) =>
  offsetsBetween(zone, parseInstant(from)!, parseInstant(to)!)
    .slice(1)
    .map(({ from_us, offset_us }) => `${formatInstant(from_us).slice(0, 19)} ${offset_us / 60_000_000}`)
const dayIn = (zone: string, at: string) => formatDay(localDayOf(zone, parseInstant(at)!))

describe('a time zone', () => {
  it('is one of the names that there are', () => {
    for (const name of ['UTC', 'Europe/Kyiv', 'America/Argentina/Buenos_Aires', 'Etc/GMT+3'])
      assert.ok(isZone(name), name)
    for (const name of ['', 'Mars/Olympus', '+02:00', 'Europe', 'Europe/Kyiv ', 'x'.repeat(100)]) {
      assert.ok(!isZone(name), name)
    }
  })

  it('changes its offset to the second', () => {
    assert.deepEqual(offsetChanges('Europe/Kyiv', '2025-01-01', '2025-12-31'), [
      '2025-03-30T01:00:00 180',
      '2025-10-26T01:00:00 120',
    ])
    assert.deepEqual(offsetChanges('Australia/Lord_Howe', '2025-01-01', '2025-12-31'), [
      '2025-04-05T15:00:00 630',
      '2025-10-04T15:30:00 660',
    ])
    assert.deepEqual(offsetChanges('Pacific/Apia', '2011-12-01', '2011-12-31'), ['2011-12-30T10:00:00 840'])
    assert.deepEqual(offsetChanges('Asia/Kathmandu', '2025-01-01', '2025-12-31'), [])
  })

  it('says which local day an instant is of', () => {
    assert.equal(dayIn('America/New_York', '2025-08-01T03:59:59.999999Z'), '2025-07-31')
    assert.equal(dayIn('America/New_York', '2025-08-01T04:00:00Z'), '2025-08-01')
    assert.equal(dayIn('Asia/Kathmandu', '2025-08-01T18:15:00Z'), '2025-08-02')
    assert.equal(dayIn('Pacific/Apia', '2011-12-30T09:59:59Z'), '2011-12-29')
    assert.equal(dayIn('Pacific/Apia', '2011-12-30T10:00:00Z'), '2011-12-31')
  })
})

describe('the hours of a local day', () => {
  it('are 23, 24 or 25', () => {
    assert.equal(hours('2025-03-30', 'Europe/Kyiv').length, 23)
    assert.equal(hours('2025-10-26', 'Europe/Kyiv').length, 25)
    assert.equal(hours('2025-08-01', 'Europe/Kyiv').length, 24)
  })

  it('leave out the one that is skipped, and name the repeated one twice', () => {
    assert.deepEqual(hours('2025-03-09', 'America/New_York').slice(1, 3), [
      '2025-03-09T01:00:00-05:00',
      '2025-03-09T03:00:00-04:00',
    ])
    assert.deepEqual(hours('2025-11-02', 'America/New_York').slice(1, 3), [
      '2025-11-02T01:00:00-04:00',
      '2025-11-02T01:00:00-05:00',
    ])
  })

  it('may be shifted by half an hour within the day', () => {
    assert.deepEqual(hours('2025-04-06', 'Australia/Lord_Howe').slice(0, 4), [
      '2025-04-06T00:00:00+11:00',
      '2025-04-06T01:00:00+11:00',
      '2025-04-06T01:00:00+10:30',
      '2025-04-06T02:00:00+10:30',
    ])
    assert.equal(hours('2025-08-01', 'Asia/Kathmandu')[0], '2025-08-01T00:00:00+05:45')
  })

  it('are none of a date that was skipped', () => assert.deepEqual(hours('2011-12-30', 'Pacific/Apia'), []))
})

const intervalLabels = (
  unit: 'day' | 'week' | 'month',
  from: string,
  to: string,
  week_start: 'monday' | 'sunday' = 'monday',
) => intervalsOf(unit, day(from), day(to), zoneOf('UTC', week_start), LONG_AFTER).map(({ label }) => label)

describe('intervals', () => {
  it('are named by their first day', () => {
    assert.deepEqual(intervalLabels('week', '2025-08-01', '2025-08-05'), ['2025-07-28', '2025-08-04'])
    assert.deepEqual(intervalLabels('week', '2025-08-01', '2025-08-05', 'sunday'), [
      '2025-07-27',
      '2025-08-03',
    ])
    assert.deepEqual(intervalLabels('month', '2025-01-31', '2025-03-01'), [
      '2025-01-01',
      '2025-02-01',
      '2025-03-01',
    ])
    assert.deepEqual(intervalLabels('day', '2024-02-28', '2024-03-01'), [
      '2024-02-28',
      '2024-02-29',
      '2024-03-01',
    ])
  })

  it('say by the local clock whether they have begun and ended', () => {
    // Noon of the 2nd in UTC is the 3rd in Auckland.
    const now_us = parseInstant('2025-08-02T12:30:00Z')!
    const states = (zone: string) =>
      intervalsOf('day', day('2025-08-01'), day('2025-08-04'), zoneOf(zone), now_us).map(({ state }) => state)
    assert.deepEqual(states('UTC'), ['complete', 'incomplete', 'future', 'future'])
    assert.deepEqual(states('Pacific/Auckland'), ['complete', 'complete', 'incomplete', 'future'])
  })
})
