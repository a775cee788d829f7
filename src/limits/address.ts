import { BlockList, isIP } from 'node:net'

/** Whose request it is, by address, and what a proxy's word for it is worth. */

/** @param list addresses and CIDR ranges, with commas; null where it is no such list */
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
 * The address that the request comes from. X-Forwarded-For is read from its end, because everybody can write its beginning, and only
 * as long as the one who wrote the entry is a proxy of ours.
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
    // What is no address was not written by a proxy that knows its business; the last one that did is the client then.
    if (familyOf(next) === null) break
    client = next
  }
  return client
}

/** One host has as many IPv6 addresses as it likes, but one network of 64 bits: that is what is counted. */
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

/** Without port and brackets; an IPv4 address in IPv6 form as what it is. */
function plain(text: string): string {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare
}

/** The eight groups, without leading zeros. */
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
