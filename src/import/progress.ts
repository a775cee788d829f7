import type { DuckConnection } from '../store/duckdb.ts'

/** Shows the progress of an import: a bar on a terminal, otherwise one line per stage. */
export interface Progress {
  /** Shows a stage while `act` runs. With a connection, it also shows the percentage that DuckDB reports. */
  during<T>(stage: string, connection: DuckConnection | null, act: () => Promise<T>): Promise<T>
  /** Shows that `done` of `total` days of a stage are finished. */
  step(stage: string, done: number, total: number, note: string): void
  /** Clears the bar. */
  end(): void
}

const BAR_CHARS = 30
const REFRESH_MS = 100

/** @param out a terminal, or any other stream for lines */
export function createProgress(out: NodeJS.WriteStream): Progress {
  let stage_shown = ''

  function draw(stage: string, share: number, note: string): void {
    const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR_CHARS)
    const bar = '#'.repeat(filled) + '-'.repeat(BAR_CHARS - filled)
    out.write(`\r\u001B[K[${bar}] ${Math.round(Math.min(1, Math.max(0, share)) * 100)}% ${stage} ${note}`)
  }
  function announce(stage: string): void {
    if (stage === stage_shown) return
    stage_shown = stage
    out.write(`${stage}\n`)
  }

  return {
    async during(stage, connection, act) {
      if (!out.isTTY) {
        announce(stage)
        return act()
      }
      draw(stage, 0, '')
      // DuckDB reports progress only if its progress bar is enabled; a second setting disables the output.
      await connection?.run('SET enable_progress_bar = true')
      await connection?.run('SET enable_progress_bar_print = false')
      const timer = setInterval(() => {
        if (connection !== null) draw(stage, connection.progress.percentage / 100, '')
      }, REFRESH_MS)
      try {
        return await act()
      } finally {
        clearInterval(timer)
      }
    },
    step(stage, done, total, note) {
      if (out.isTTY) draw(stage, total === 0 ? 1 : done / total, note)
      else announce(`${stage} ${total} days`)
    },
    end() {
      if (out.isTTY) out.write('\r\u001B[K')
    },
  }
}
