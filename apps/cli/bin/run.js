#!/usr/bin/env node
// This file itself must run on any Node from 12 up: it finds a Node that can run Conclave, then hands over to it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 19)) {
  followParent()
  endWithoutReader()
  const { execute } = await import('@oclif/core')
  await execute({ dir: import.meta.url })
  // libp2p may still hold a timer of a second; what was printed goes out first.
  process.stdout.write('', () => process.exit())
} else {
  const node = bundledNode()
  if (node === undefined) {
    console.error(
      `conclave needs Node 22.19 or newer; this is ${process.version}. Install a newer Node, or add the package node-${process.platform}-${process.arch}.`,
    )
    process.exit(1)
  }
  handOver(node)
}

/** Whoever read the output may have left (`| head`). oclif waits for ever then until it is flushed: what is left to do is to end. */
function endWithoutReader() {
  process.stdout.once('error', ({ code }) => {
    if (code === 'EPIPE') process.once('beforeExit', () => process.exit())
  })
}

/** After `handOver`, the end of the process that the user started is the end of this one. */
function followParent() {
  if (process.env.CONCLAVE_HANDED_OVER === undefined) return
  delete process.env.CONCLAVE_HANDED_OVER
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel?.unref()
}

/** The Node binary that the workspace installed as a package, if there is one for this platform. */
function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`
  for (const base of [import.meta.url, join(process.cwd(), 'package.json')]) {
    for (const folder of createRequire(base).resolve.paths(name) || []) {
      const binary = join(folder, name, 'bin', 'node')
      if (existsSync(binary)) return binary
    }
  }
  return undefined
}

/**
 * Node 20 cannot replace its own process, so signals and the exit are passed through. A SIGKILL cannot be: the channel
 * closes then, and the child sees it.
 */
function handOver(node) {
  const env = { ...process.env, CONCLAVE_HANDED_OVER: '1' }
  const child = spawn(node, process.argv.slice(1), { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
  for (const signal of signals) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`conclave could not start ${node}: ${error.message}`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeAllListeners(name)
    if (signal === null) process.exit(code)
    else process.kill(process.pid, signal)
  })
}
