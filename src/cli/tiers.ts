import type { Config } from '../config.ts'
import { openLayout } from '../store/layout.ts'
import { openStore } from '../store/sqlite.ts'
import { readTiers } from '../store/tiers.ts'
import { EXIT } from './exit.ts'

/** Prints what lies where. */
export function tiersCommand(config: Config, json: boolean): number {
  const db = openStore(openLayout(config.DATA_DIR).database)
  try {
    const tiers = readTiers(db)
    if (json) console.log(JSON.stringify(tiers))
    else {
      const { hot, cold } = tiers
      console.log(`hot   ${hot.events} events of ${hot.days} days`)
      console.log(`cold  ${cold.events} events in ${cold.files} files, ${cold.bytes} bytes`)
      for (const day of cold.days) {
        console.log(`  ${day.day}  ${day.events} events  ${day.files} files  ${day.bytes} bytes`)
      }
    }
    return EXIT.done
  } finally {
    db.close()
  }
}
