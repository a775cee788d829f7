import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../tests/support/root.ts'

/** What the service is compared with. Heavy, so a plain install has none of it; bench/package.json lists it. */

const PEERS = ['chdb', 'hyparquet-writer', 'parquetjs-lite'] as const
export type Peer = (typeof PEERS)[number]

const INSTALL = 'npm ci --prefix bench'
const FOLDER = join(ROOT, 'bench/node_modules')

function isInstalled(peer: Peer): boolean {
  return existsSync(join(FOLDER, peer))
}

/** The peers of a benchmark that are there; says on stderr which are not, and how to install them. */
export function installedOf<T extends Peer>(wanted: readonly T[]): T[] {
  const missing = wanted.filter((peer) => !isInstalled(peer))
  if (missing.length > 0)
    console.error(
      `left out, because they are not installed: ${missing.join(', ')}. To install them: ${INSTALL}`,
    )
  return wanted.filter(isInstalled)
}

/**
 * A peer's module. By a name that the compiler does not follow, so that types and lint are the same with and without the peers.
 * @typeParam T the subset of it that is used
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
