import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { inDirectory, type Running, run, start, until } from './cli.ts'

const ip = (...args: string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Why this machine cannot have namespaces, or undefined if it can. */
const obstacle = (): string | undefined => {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  if (process.getuid?.() !== 0) return 'making network namespaces takes root'
  const probe = `cvp${process.pid}`
  try {
    ip('netns', 'add', probe)
    ip('link', 'add', `${probe}b`, 'type', 'bridge')
    ip('link', 'del', `${probe}b`)
    return undefined
  } catch (error) {
    return `ip cannot make namespaces and bridges here: ${error instanceof Error ? error.message : error}`
  } finally {
    try {
      ip('netns', 'del', probe)
    } catch {
      // It was not made.
    }
  }
}

const hosts = ['a', 'b', 'c'] as const
type Host = (typeof hosts)[number]
const tag = `cv${process.pid}`
const namespace = (host: Host): string => `${tag}${host}`
const inside = (host: Host): string[] => ['ip', 'netns', 'exec', namespace(host)]
const address = (host: Host): string => `10.77.${process.pid % 250}.${hosts.indexOf(host) + 1}`

/** Three hosts on one switch. */
const build = (): void => {
  ip('link', 'add', `${tag}br`, 'type', 'bridge')
  ip('link', 'set', `${tag}br`, 'up')
  for (const host of hosts) {
    const [outer, inner] = [`${tag}o${host}`, `${tag}i${host}`]
    ip('netns', 'add', namespace(host))
    ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner)
    ip('link', 'set', outer, 'master', `${tag}br`, 'up')
    ip('link', 'set', inner, 'netns', namespace(host))
    ip('-n', namespace(host), 'addr', 'add', `${address(host)}/24`, 'dev', inner)
    ip('-n', namespace(host), 'link', 'set', inner, 'up')
    ip('-n', namespace(host), 'link', 'set', 'lo', 'up')
  }
}

const demolish = (): void => {
  for (const host of hosts) {
    for (const args of [
      ['link', 'del', `${tag}o${host}`],
      ['netns', 'del', namespace(host)],
    ]) {
      try {
        ip(...args)
      } catch {
        // It was not made.
      }
    }
  }
  try {
    ip('link', 'del', `${tag}br`)
  } catch {
    // It was not made.
  }
}

const reason = obstacle()

describe('three hosts', { timeout: 120_000 }, () => {
  test.skipIf(reason !== undefined)(
    `form a cluster from what init printed${reason === undefined ? '' : ` (skipped: ${reason})`}`,
    () =>
      inDirectory(async (cwd) => {
        const nodes: Running[] = []
        try {
          build()
          const members: string[] = []
          for (const host of hosts) {
            await mkdir(join(cwd, host))
            const listen = `/ip4/${address(host)}/tcp/7400`
            const init = await run(
              join(cwd, host),
              ['init', '--name', host, '--listen', listen, '--data', 'data'],
              {},
              inside(host),
            )
            expect(init.code, init.stderr).toBe(0)
            members.push(...init.stdout.trim().split(' '))
          }
          for (const host of hosts) {
            const flags = [
              '--name',
              host,
              '--listen',
              `/ip4/${address(host)}/tcp/7400`,
              '--data',
              'data',
              '--insecure-clients',
            ]
            nodes.push(start(join(cwd, host), ['node', 'start', ...flags, ...members], {}, inside(host)))
          }
          const endpoints = members
            .filter((word) => word.includes('='))
            .map((word) => word.slice(word.indexOf('=') + 1))
          const from = (host: Host, args: string[]) =>
            run(cwd, [...args, '--endpoints', endpoints.join(',')], {}, inside(host))
          await until(
            () => from('a', ['status', '--json']),
            ({ code }) => code === 0,
          )
          const put = await from('b', ['kv', 'put', 'greeting', 'hello'])
          expect(put.stdout, put.stderr).toBe('revision 1\n')
          expect((await from('c', ['kv', 'get', 'greeting'])).stdout).toBe('hello\n')
          for (const { child } of nodes) child.kill('SIGTERM')
          for (const { ended } of nodes) expect((await ended).code).toBe(0)
        } finally {
          for (const { child } of nodes) child.kill('SIGKILL')
          demolish()
        }
      }),
  )
})
