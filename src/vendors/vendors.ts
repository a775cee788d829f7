import { AMPLITUDE } from './amplitude.ts'
import { MIXPANEL } from './mixpanel.ts'
import { POSTHOG } from './posthog.ts'
import type { Vendor } from './vendor.ts'

/** Vendors by the name that people type. */
export const VENDORS = {
  posthog: POSTHOG,
  mixpanel: MIXPANEL,
  amplitude: AMPLITUDE,
} as const satisfies Readonly<Record<string, Vendor>>

export type VendorName = keyof typeof VENDORS
