import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../tests/support/root.ts'

/**
 * Optional packages that the service is compared with.
 * They are large, so they have their own bench/package.json.
 */

const PEERS = ['chdb', 'hyparquet-writer', 'parquetjs-lite'] as const
export type Peer = (typeof PEERS)[number]

const INSTALL = 'npm ci --prefix bench'
const FOLDER = join(ROOT, 'bench/node_modules')

function isInstalled(peer: Peer): boolean {
  return existsSync(join(FOLDER, peer))
}

/** Returns the installed peers. Prints to stderr which are missing and how to install them. */
export function installedOf<T extends Peer>(wanted: readonly T[]): T[] {
  const missing = wanted.filter((peer) => !isInstalled(peer))
  if (missing.length > 0)
    console.error(`skipped, because not installed: ${missing.join(', ')}. Install with: ${INSTALL}`)
  return wanted.filter(isInstalled)
}

/**
 * Imports a peer. The name is a variable, so that the compiler does not resolve it and checks pass without
 * the peers.
 * @typeParam T the subset of the module that is used
 */
export async function importPeer<T>(peer: Peer): Promise<T> {
  return (await import(peer)) as T
}

export function peerVersions(): Record<string, string> {
  return Object.fromEntries(
    PEERS.filter(isInstalled).map((peer) => {
      const text = readFileSync(join(FOLDER, peer, 'package.json'), 'utf8')
      return [peer, (JSON.parse(text) as { version: string }).version]
    }),
  )
}
