#!/usr/bin/env node
// This file itself must run on any Node from 12 up: it finds a Node that can run Conclave, then hands over to it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  const { execute } = await import('@oclif/core')
  await execute({ dir: import.meta.url })
} else {
  const node = bundledNode()
  if (node === undefined) {
    console.error(
      `conclave needs Node 22.18 or newer; this is ${process.version}. Install a newer Node, or add the package node-${process.platform}-${process.arch}.`,
    )
    process.exit(1)
  }
  handOver(node)
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

/** Node 20 cannot replace its own process, so the child's signals and its exit are passed through. */
function handOver(node) {
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' })
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
