import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { METRICS } from './catalog.ts'
import type { LabelsOf, MetricName, Named } from './catalog.ts'

/**
 * The metrics of one service, in a registry of its own: two services in one process share nothing.
 * Only this file uses `prom-client`.
 */
export interface Meters {
  /** Adds to a counter. */
  add<N extends Named<'counter'>>(name: N, count: number, labels: LabelsOf<N>): void
  observe<N extends Named<'histogram'>>(name: N, value: number, labels: LabelsOf<N>): void
  /**
   * Replaces all samples of the previous call. A metric without a sample is left out of the text
   * instead of shown as 0.
   */
  put(samples: readonly Sample[]): void
  /** The Prometheus text format, version 0.0.4. */
  text(): Promise<string>
}

export const TEXT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

/** A gauge, or a counter that is kept elsewhere, as it was read. */
export interface Sample {
  name: Named<'counter' | 'gauge'>
  value: number
  labels: Readonly<Record<string, string>>
}

export function sample<N extends Named<'counter' | 'gauge'>>(
  name: N,
  value: number,
  labels: Record<(typeof METRICS)[N]['labels'][number], string>,
): Sample {
  return { name, value, labels }
}

export function createMeters(): Meters {
  const registry = new Registry()
  const counters = new Map<MetricName, Counter>()
  const gauges = new Map<MetricName, Gauge>()
  const histograms = new Map<MetricName, Histogram>()
  for (const [key, { type, help, labels, ...rest }] of Object.entries(METRICS)) {
    const name = key as MetricName
    const common = { name, help, labelNames: [...labels], registers: [registry] }
    if (type === 'counter') counters.set(name, new Counter(common))
    else if (type === 'gauge') gauges.set(name, new Gauge(common))
    else
      histograms.set(
        name,
        new Histogram({ ...common, buckets: [...(rest as { buckets: number[] }).buckets] }),
      )
  }

  // prom-client shows a metric without labels as 0 before it has a value.
  for (const meter of [...counters.values(), ...gauges.values()]) meter.remove({})
  let shown: readonly Sample[] = []

  return {
    add: (name, count, labels) => counters.get(name)!.inc(labels, count),
    observe: (name, value, labels) => histograms.get(name)!.observe(labels, value),
    put(samples) {
      for (const { name, labels } of shown) (gauges.get(name) ?? counters.get(name)!).remove(labels)
      for (const { name, labels, value } of samples) {
        gauges.get(name)?.set(labels, value)
        counters.get(name)?.inc(labels, value)
      }
      shown = samples
    },
    text: () => registry.metrics(),
  }
}
