import assert from 'node:assert/strict'

/** A strict reader of the Prometheus text format, version 0.0.4, that knows nothing of who wrote it. */

export interface Family {
  type: string
  help: string
  /** By series as it stands in the text, name and labels; labels sorted. */
  samples: Map<string, number>
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/g
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\[\\\\n])+)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? ([+-]?(?:\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|Inf))$`)

/** @throws {AssertionError} naming the line that breaks the format, or a rule of Prometheus for names and histograms */
export function readExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line is not ended')
  const families = new Map<string, Family>()
  let name = ''
  let typed = true
  for (const line of text.split('\n')) {
    if (line === '') continue
    const help = HELP.exec(line)
    const type = TYPE.exec(line)
    if (help !== null) {
      assert.ok(typed, `no type before ${line}`)
      name = help[1]!
      assert.ok(!families.has(name), `twice: ${line}`)
      families.set(name, { type: '', help: help[2]!, samples: new Map() })
      typed = false
    } else if (type !== null) {
      assert.ok(!typed && type[1] === name, `not after its help: ${line}`)
      families.get(name)!.type = type[2]!
      typed = true
    } else {
      assert.ok(typed, `before its type: ${line}`)
      takeSample(families.get(name)!, name, line)
    }
  }
  for (const [family, { type, samples }] of families) {
    assert.equal(type === 'counter', family.endsWith('_total'), `the name of a ${type}: ${family}`)
    if (type === 'counter') for (const value of samples.values()) assert.ok(value >= 0, family)
    if (type === 'histogram') checkHistogram(family, samples)
  }
  return families
}

function takeSample({ type, samples }: Family, family: string, line: string): void {
  const match = SAMPLE.exec(line)
  assert.ok(match, `not the format: ${line}`)
  const [, name, labels = '', value] = match
  const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
  assert.ok(suffixes.map((end) => family + end).includes(name!), `of another family: ${line}`)
  assert.equal(labels.replaceAll(LABEL, '').replaceAll(',', ''), '', `labels: ${line}`)
  const series = seriesOf(name!, Object.fromEntries([...labels.matchAll(LABEL)].map(([, l, v]) => [l!, v!])))
  assert.ok(!samples.has(series), `twice: ${line}`)
  samples.set(series, Number(value!.replace('Inf', 'Infinity')))
}

function checkHistogram(family: string, samples: ReadonlyMap<string, number>): void {
  const last = new Map<string, { le: number; count: number }>()
  for (const [series, count] of samples) {
    const le = /,?\ble="([^"]+)"/.exec(series)
    if (le === null) continue
    const rest = series.replace(le[0], '').replace('_bucket', '').replace('{}', '').replace('{,', '{')
    const before = last.get(rest) ?? { le: -Infinity, count: 0 }
    const bound = Number(le[1]!.replace('Inf', 'Infinity'))
    assert.ok(bound > before.le && count >= before.count, `not in order: ${series}`)
    last.set(rest, { le: bound, count })
  }
  for (const [rest, { le, count }] of last) {
    assert.equal(le, Infinity, rest)
    assert.equal(samples.get(rest.replace(family, `${family}_count`)), count, rest)
    assert.ok(samples.has(rest.replace(family, `${family}_sum`)), rest)
  }
}

/** A series' key: its labels in the order of their names. */
export function seriesOf(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return pairs.length === 0 ? name : `${name}{${pairs.toSorted().join(',')}}`
}

/** One look at `/metrics`. */
export interface Scrape {
  families: Map<string, Family>
  /** Undefined where there is no such series. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined
  /** All series of the format, sorted. */
  series(): string[]
}

export async function scrape(url: string, headers: Record<string, string> = {}): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`, { headers })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const families = readExposition(text)
  const samples = new Map([...families.values()].flatMap((family) => [...family.samples]))
  return {
    families,
    value: (name, labels = {}) => samples.get(seriesOf(name, labels)),
    series: () => [...samples.keys()].toSorted(),
  }
}

/** Looks until the test holds. */
export async function untilScraped(url: string, test: (scraped: Scrape) => boolean): Promise<Scrape> {
  for (;;) {
    const scraped = await scrape(url)
    if (test(scraped)) return scraped
  }
}
