import { writeProperties } from '../event/event.ts'
import { parseExactJson } from '../event/json.ts'
import type { DuckConnection } from '../store/duckdb.ts'

/** Rows per INSERT. */
const INSERTED_ROWS = 10_000

/**
 * Marks rows as doubtful if the properties that DuckDB has written differ from what the schema would write. It compares accepted rows
 * that the patterns in stage-sql.ts do not cover: nested objects, escapes, unusual numbers. Comparing two texts is cheaper than
 * validating and storing the whole event again.
 * @param all SQL of the staged rows
 * @param unsure number of rows to compare
 * @throws {Error} if DuckDB returns another number of rows
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
  // A DuckDB stream that fails in the middle ends without an error.
  if (compared !== unsure)
    throw new Error(`DuckDB returned ${compared} of ${unsure} rows whose properties must be compared`)
  for (let done = 0; done < found.length; done += INSERTED_ROWS) {
    const values = found.slice(done, done + INSERTED_ROWS).map((record) => `(${record})`)
    await connection.run(`INSERT INTO doubtful VALUES ${values.join(', ')}`)
  }
}

/** The properties as the schema would store them; null if it would reject them. */
function textOf(json: string): string | null {
  try {
    const written = writeProperties(parseExactJson(json))
    return 'json' in written ? written.json : null
  } catch {
    return null
  }
}
