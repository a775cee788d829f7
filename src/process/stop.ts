/** When a process is to end. */

/** How often to look whether npx is still there. */
const LOOK_EVERY_MS = 500

/**
 * Aborts on SIGTERM and SIGINT, with the name of the signal as reason. More of them change nothing: on Ctrl-C a command that npm
 * runs gets one from the terminal and one from npm.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort(name))
  // npx runs commands in a shell, passes signals to the shell alone, and the shell ends without its child.
  if (process.env['npm_lifecycle_event'] === 'npx') {
    const shell = process.ppid
    const timer = setInterval(() => {
      if (process.ppid === shell) return
      clearInterval(timer)
      stop.abort('SIGTERM')
    }, LOOK_EVERY_MS).unref()
  }
  return stop.signal
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
