import { writeProperties } from '../event/event.ts'
import { parseExactJson } from '../event/json.ts'
import type { DuckConnection } from '../store/duckdb.ts'

/** Doubtful rows inserted at a time. */
const INSERTED_ROWS = 10_000

/**
 * Compares the properties that DuckDB has written with what the schema would write, where no pattern can tell: nested objects, escapes,
 * unusual numbers. Rows that differ become doubtful. Comparing two texts costs less than handing a whole event to the schema and back.
 * @param all SQL of the staged rows
 * @param unsure how many of them are to be compared
 */
export async function doubtProperties(
  connection: DuckConnection,
  all: string,
  unsure: number,
): Promise<void> {
  let compared = 0
  const result = await connection.stream(
    `SELECT file_row_number::DOUBLE, properties, CASE WHEN raw[5] <> properties THEN raw[5] END
     FROM ${all} WHERE raw IS NOT NULL AND event_id IS NOT NULL`,
  )
  const found: number[] = []
  for await (const rows of result.yieldRows()) {
    for (const [record, properties, raw] of rows as [number, string, string | null][]) {
      if (textOf(raw ?? properties) !== properties) found.push(record)
    }
    compared += rows.length
  }
  // A stream that fails in the middle ends as if it were complete.
  if (compared !== unsure) throw new Error(`compared the properties of ${compared} of ${unsure} rows`)
  for (let done = 0; done < found.length; done += INSERTED_ROWS) {
    const values = found.slice(done, done + INSERTED_ROWS).map((record) => `(${record})`)
    await connection.run(`INSERT INTO doubtful VALUES ${values.join(', ')}`)
  }
}

/** What the schema would store; null where it would store nothing. */
function textOf(json: string): string | null {
  try {
    const written = writeProperties(parseExactJson(json))
    return 'json' in written ? written.json : null
  } catch {
    return null
  }
}
