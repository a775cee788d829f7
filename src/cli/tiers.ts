import { readTiers } from '../store/tiers.ts'
import { openLayout } from '../store/layout.ts'
import { EXIT } from './command.ts'
import type { Context } from './command.ts'
import { size, table } from './people.ts'
import { withStore } from './store.ts'

/** Prints how much each tier holds. */
export async function tiersCommand({ config, answer }: Context): Promise<number> {
  const tiers = withStore(openLayout(config.DATA_DIR), readTiers)
  const { hot, cold } = tiers
  answer(tiers, () => {
    const both = [
      { tier: 'hot', ...hot, files: null, size: null },
      { tier: 'cold', ...cold, days: cold.days.length, size: size(cold.bytes) },
    ]
    const days = cold.days.map((day) => ({ ...day, size: size(day.bytes) }))
    return [
      table(['tier', 'events', 'days', 'files', 'size'], both, ['events', 'days', 'files', 'size']),
      ...(days.length === 0
        ? []
        : ['', table(['day', 'events', 'files', 'size'], days, ['events', 'files', 'size'])]),
    ].join('\n')
  })
  return EXIT.done
}
