import { Problem } from '../problem/problem.ts'

/** The bytes of all bodies that are being received, parsed or stored, by caller. */
export interface Flight {
  /**
   * Returns a problem if `bytes` more would exceed the limit of the caller or of all. A request that is alone
   * passes, because its own limits bound it.
   * @param held_bytes bytes already held for this request
   */
  fault(caller: string, held_bytes: number, bytes: number): Problem | null
  /** @param bytes negative to give room back */
  add(caller: string, bytes: number): void
}

export interface FlightLimits {
  in_flight_bytes_max: number
  caller_bytes_max: number
}

export function createFlight({ in_flight_bytes_max, caller_bytes_max }: FlightLimits): Flight {
  let all_bytes = 0
  const of_caller = new Map<string, number>()

  return {
    fault(caller, held_bytes, bytes) {
      const caller_bytes = of_caller.get(caller) ?? 0
      if (exceeds(caller_bytes, held_bytes, bytes, caller_bytes_max)) {
        return new Problem(
          'queue_full',
          'Too many bytes of your other requests are in flight. Send again later.',
        )
      }
      if (exceeds(all_bytes, held_bytes, bytes, in_flight_bytes_max)) {
        return new Problem('queue_full', 'Too many bytes of other requests are in flight. Send again later.')
      }
      return null
    },
    add(caller, bytes) {
      all_bytes += bytes
      const caller_bytes = (of_caller.get(caller) ?? 0) + bytes
      if (caller_bytes === 0) of_caller.delete(caller)
      else of_caller.set(caller, caller_bytes)
    },
  }
}

function exceeds(in_flight_bytes: number, held_bytes: number, bytes: number, bytes_max: number): boolean {
  const alone = in_flight_bytes === held_bytes
  return !alone && in_flight_bytes + bytes > bytes_max
}
