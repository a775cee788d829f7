/** Threads for sorting in a compaction or an import; more help only with days of many millions of rows. */
export const JOB_THREADS = 2
