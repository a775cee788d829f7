import { hash, verify } from '@node-rs/argon2'
import type { Algorithm } from '@node-rs/argon2'

/**
 * Password limits and Argon2id hashing. Hashing runs in the libuv thread pool, so the event loop
 * stays free.
 */

export const PASSWORD_CHARS_MIN = 12
/** Long enough for any passphrase; bounds the work of hashing. */
export const PASSWORD_CHARS_MAX = 128

// The package declares it as a const enum, which has no value at run time.
const ARGON2ID = 2 as Algorithm.Argon2id
/** From the OWASP Password Storage Cheat Sheet: 19 MiB, 2 iterations, parallelism 1. */
export const ARGON2_MEMORY_KIB = 19_456
export const ARGON2_PASSES = 2
export const ARGON2_LANES = 1

/** Verified if the user does not exist, so that the reply takes as long. No password is known for it. */
export const DECOY_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$hyhU1ZEu7LCsD5WmZEuCpw$E1CnYHu3XDQctTYvVspAhTABDNqyu6ZbIiOt8gJg37U'

/** Returns why a password is not allowed, or null. */
export function passwordFault(password: string): string | null {
  const chars = [...normal(password)].length
  if (chars >= PASSWORD_CHARS_MIN && chars <= PASSWORD_CHARS_MAX) return null
  return `a password has ${PASSWORD_CHARS_MIN} to ${PASSWORD_CHARS_MAX} characters`
}

export function hashPassword(password: string): Promise<string> {
  return hash(normal(password), {
    algorithm: ARGON2ID,
    memoryCost: ARGON2_MEMORY_KIB,
    timeCost: ARGON2_PASSES,
    parallelism: ARGON2_LANES,
  })
}

/** @param password_hash null if the user does not exist */
export async function isPassword(password: string, password_hash: string | null): Promise<boolean> {
  const same = await verify(password_hash ?? DECOY_HASH, normal(password))
  return same && password_hash !== null
}

/** Keyboards differ in how they encode accented letters. */
function normal(password: string): string {
  return password.normalize('NFKC')
}
