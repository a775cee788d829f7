import { BlockList, isIP } from 'node:net'

/** Finds the address of the client, also behind trusted proxies. */

/**
 * Parses TRUSTED_PROXIES.
 * @param list addresses and CIDR ranges, separated by commas
 * @returns null if the list is invalid
 */
export function parseProxies(list: string): BlockList | null {
  const proxies = new BlockList()
  for (const entry of list.split(',').map((part) => part.trim())) {
    if (entry === '') continue
    const [address, bits, ...rest] = entry.split('/')
    const family = familyOf(address!)
    if (family === null || rest.length > 0) return null
    if (bits === undefined) {
      proxies.addAddress(address!, family)
      continue
    }
    if (!/^\d{1,3}$/.test(bits) || Number(bits) > (family === 'ipv4' ? 32 : 128)) return null
    proxies.addSubnet(address!, Number(bits), family)
  }
  return proxies
}

/**
 * Returns the address of the client. X-Forwarded-For is read from the right, and only while the hop
 * that added the entry is a trusted proxy: the client can forge everything further left.
 */
export function clientAddress(
  remote: string | undefined,
  forwarded: string | undefined,
  proxies: BlockList,
): string {
  let client = plain(remote ?? '')
  const entries = forwarded?.split(',') ?? []
  while (entries.length > 0 && isProxy(client, proxies)) {
    const next = plain(entries.pop()!.trim())
    // An invalid entry ends the chain: the hop that sent it counts as the client.
    if (familyOf(next) === null) break
    client = next
  }
  return client
}

/**
 * Returns the unit that limits count: an IPv4 address, or a /64 network, because one IPv6 host can
 * use all of it.
 */
export function networkOf(address: string): string {
  return isIP(address) === 6 ? `${ipv6Groups(address).slice(0, 4).join(':')}::/64` : address
}

function isProxy(address: string, proxies: BlockList): boolean {
  const family = familyOf(address)
  return family !== null && proxies.check(address, family)
}

function familyOf(address: string): 'ipv4' | 'ipv6' | null {
  const version = isIP(address)
  return version === 0 ? null : version === 4 ? 'ipv4' : 'ipv6'
}

/** Removes port and brackets, and turns an IPv4-mapped IPv6 address into IPv4. */
function plain(text: string): string {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare
}

/** Expands `::` to eight groups, each without leading zeros. */
function ipv6Groups(address: string): string[] {
  const [head, tail] = address.replace(/%.*$/, '').toLowerCase().split('::')
  const left = groupsOf(head)
  const right = groupsOf(tail)
  const missing = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  return [...left, ...Array.from({ length: missing }, () => '0'), ...right].map((group) =>
    group.replace(/^0+(?=.)/, ''),
  )
}

function groupsOf(part: string | undefined): string[] {
  return part ? part.split(':') : []
}
