/** What a command line has around it. */
export interface Terminal {
  env: Readonly<Record<string, string | undefined>>
  /** Writes a line of data. */
  out: (line: string) => void
  /** Writes a line of progress, or about a failure. */
  note: (line: string) => void
}

/** The terminal of this process: data to stdout, all else to stderr. */
export function openTerminal(): Terminal {
  // `frostline tiers | head` closes our stdout early; that is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  return {
    env: process.env,
    out: (line) => console.log(line),
    note: (line) => console.error(line),
  }
}
