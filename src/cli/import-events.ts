#!/usr/bin/env node
import { runCli } from './cli.ts'
import { openTerminal } from './terminal.ts'

/** `import_events <file.csv>` is `frostline import <file.csv>`. */
process.exitCode = await runCli(['import', ...process.argv.slice(2)], openTerminal())
