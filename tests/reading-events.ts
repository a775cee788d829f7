export interface ReadEvent {
  event_id: string
  occurred_at: string
  user_id: string
  event_type: string
  properties: Record<string, unknown>
}

export interface Page {
  data: ReadEvent[]
  next_cursor: string | null
  meta: { hot_events: number; cold_events: number; cold_files: number; took_ms: number }
}

export interface Problem {
  type: string
  status: number
  detail: string
  errors: { path: string; message: string }[]
}

export const DAY = 'from=2025-08-01&to=2025-08-01'
