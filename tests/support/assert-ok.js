import assert from 'node:assert/strict'

/**
 * Loaded before every test file. Without a message `assert.ok` looks its own expression up in the source, by line and column of the
 * running code; tsx runs each file as one line, so the search goes through the whole file and can take hours.
 */
const { ok } = assert
assert.ok = (value, message = 'not true; the stack names the line') => ok(value, message)
