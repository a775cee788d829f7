import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { PROGRAMS } from '../../src/build/build.ts'
import { ENV_SCHEMA } from '../../src/config.ts'
import { ROUTES } from '../../src/http/routes.ts'
import { ROOT } from '../support/root.ts'

/** There is no container here: these tests hold the files to the code that they name. */

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ')
const compose = read('docker-compose.yml')
const settings = ENV_SCHEMA.entries as Record<string, { default: string }>

/** The arguments of all instructions of a name. */
function instructions(name: string): string[] {
  return [...dockerfile.matchAll(new RegExp(`^\\s*${name} +(.*)$`, 'gm'))].map(([, args]) => args!.trim())
}

/** The source that `npm run build` makes a path below dist/ from. */
function sourceOf(built: string): string {
  const source = built.replace(/^dist\//, '').replace(/\.js$/, '.ts')
  assert.ok(PROGRAMS.includes(source), `${source} is not built`)
  return source
}

describe('Dockerfile', () => {
  it('copies only what is there and what .dockerignore lets through', () => {
    const let_through = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    const copied = instructions('COPY')
      .filter((args) => !args.startsWith('--from'))
      .flatMap((args) => args.split(/ +/).slice(0, -1))
    assert.ok(copied.length > 0)
    for (const path of copied) assert.ok(existsSync(join(ROOT, path)), path)
    assert.deepEqual(copied.toSorted(), let_through.toSorted())
  })

  it('copies every file that the build reads', () => {
    const copied = new Set(instructions('COPY').flatMap((args) => args.split(/ +/)))
    for (const path of ['src', 'compactor', 'tsconfig.json', 'package.json', 'package-lock.json']) {
      assert.ok(copied.has(path), path)
    }
  })

  it('sets only what the configuration knows', () => {
    const names = instructions('ENV').flatMap((args) => args.split(/ +/).map((pair) => pair.split('=')[0]!))
    assert.deepEqual(names.toSorted(), ['DATA_DIR', 'HOST', 'PORT'])
    for (const name of names) assert.ok(name in settings, name)
  })

  it('starts what the build makes, as somebody who is not root', () => {
    const [command] = instructions('CMD')
      .slice(-1)
      .map((args) => JSON.parse(args) as string[])
    assert.deepEqual([command![0], command![2]], ['node', 'serve'])
    assert.ok(existsSync(join(ROOT, sourceOf(command![1]!))))
    assert.deepEqual(instructions('USER'), ['node'])
    assert.deepEqual(instructions('STOPSIGNAL'), ['SIGTERM'])
  })

  it('asks a route that exists whether it is healthy', () => {
    const health = instructions('HEALTHCHECK')[0]!
    const path = /\}(\/[a-z]+)`/.exec(health)?.[1]
    assert.ok(
      ROUTES.some((route) => route.method === 'GET' && route.path === path),
      path,
    )
  })
})

describe('docker-compose.yml', () => {
  it('sets only what the configuration knows', () => {
    const names = [...compose.matchAll(/^ +([A-Z][A-Z_]+):/gm)].map(([, name]) => name!)
    assert.ok(names.includes('COMPACT_CRON'))
    for (const name of names) assert.ok(name in settings, name)
  })

  it('starts what the build makes', () => {
    const [, list] = /command: (\[.*\])/.exec(compose)!
    const command = JSON.parse(list!.replaceAll(`'`, '"')) as string[]
    assert.equal(command[0], 'node')
    assert.ok(existsSync(join(ROOT, sourceOf(command[1]!))))
  })

  it('lets nobody in but this machine', () => {
    const ports = [...compose.matchAll(/^ +- '([^']*:8080)'$/gm)].map(([, port]) => port)
    assert.deepEqual(ports, ['127.0.0.1:8080:8080'])
  })

  it('keeps both services on the volume that the image declares', () => {
    const [volume] = instructions('VOLUME')
    assert.match(compose, new RegExp(`- data:${volume}$`, 'm'))
    assert.match(compose, new RegExp(`DATA_DIR: ${volume}$`, 'm'))
  })

  it('waits longer for an orderly end than the end may take', () => {
    const seconds = Number(/stop_grace_period: (\d+)s/.exec(compose)![1])
    assert.ok(seconds * 1_000 > Number(settings['SHUTDOWN_TIMEOUT_MS']!.default))
  })
})

describe('.env.example', () => {
  it('lists every setting once, with its default', () => {
    const lines = [...read('.env.example').matchAll(/^#([A-Z_]+)=(.*)$/gm)]
    const listed = lines.map(([, name, value]) => [name!, value!.replace(/^'(.*)'$/, '$1')])
    const known = Object.entries(settings).map(([name, setting]) => [name, setting.default])
    assert.deepEqual(listed.toSorted(), known.toSorted())
  })

  it('sets nothing before somebody changes it', () => {
    const set = read('.env.example')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    assert.deepEqual(set, [])
  })
})

describe('package.json', () => {
  it('names commands that the build makes, each a script of its own', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> }
    assert.deepEqual(Object.keys(bin), ['frostline', 'import_events'])
    for (const built of Object.values(bin)) {
      assert.ok(read(sourceOf(built)).startsWith('#!/usr/bin/env node\n'), built)
    }
  })
})

describe('.ci/run', () => {
  it('can be run, and runs the four commands that decide', () => {
    assert.ok((statSync(join(ROOT, '.ci/run')).mode & 0o111) !== 0)
    const commands = read('.ci/run').match(/^npm .*$/gm)
    assert.deepEqual(commands, ['npm ci', 'npm run check', 'npm test', 'npm run test:long'])
  })
})
