/**
 * Points where a test can make a job fail: `FROSTLINE_FAILPOINT=<name>` kills the process there,
 * `<name>:error` throws EIO like a failing disk. Each is named after the step that has just completed.
 * tests/crash/failpoints.test.ts covers every name in this list.
 */
export const FAILPOINTS = [
  'sweep.staging',
  'sweep.replaced_file',
  'sweep.replaced',
  'sweep.orphans',
  'compaction.planned',
  'compaction.copied',
  'compaction.written',
  'compaction.synced',
  'compaction.checked',
  'compaction.counted',
  'compaction.ids_staged',
  'compaction.ids_synced',
  'compaction.ids_placed',
  'compaction.renamed',
  'compaction.placed',
  'compaction.applied',
  'compaction.committed',
  'compaction.collected',
  'merge.written',
  'merge.synced',
  'merge.checked',
  'merge.counted',
  'merge.renamed',
  'merge.placed',
  'merge.applied',
  'merge.committed',
  'index.ids_staged',
  'index.ids_synced',
  'index.ids_placed',
  'index.applied',
  'index.committed',
  'import.read',
  'import.told',
  'import.compared',
  'import.written',
  'import.synced',
  'import.checked',
  'import.counted',
  'import.ids_staged',
  'import.renamed',
  'import.placed',
  'import.withdrawn',
  'import.ids_synced',
  'import.ids_placed',
  'import.applied',
  'import.committed',
] as const

export type Failpoint = (typeof FAILPOINTS)[number]

interface Armed {
  name: Failpoint
  how: 'kill' | 'error'
}

/** Null in normal runs. The environment is read once, so that a failpoint costs one comparison. */
const ARMED = readArmed(process.env['FROSTLINE_FAILPOINT'])

/** Kills the process or throws if the environment selects this failpoint. */
export function failpoint(name: Failpoint): void {
  if (ARMED === null || ARMED.name !== name) return
  if (ARMED.how === 'kill') process.kill(process.pid, 'SIGKILL')
  throw Object.assign(new Error(`EIO: failpoint ${name}`), { code: 'EIO' })
}

function readArmed(text: string | undefined): Armed | null {
  if (text === undefined || text === '') return null
  const [wanted, how = 'kill'] = text.split(':')
  const name = FAILPOINTS.find((known) => known === wanted)
  if (name === undefined || (how !== 'kill' && how !== 'error'))
    throw new Error(
      'FROSTLINE_FAILPOINT must be a name in src/process/failpoint.ts, with an optional :kill or :error',
    )
  return { name, how }
}
