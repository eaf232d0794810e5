/**
 * One generator for each kind of plug-in, as `generators.json` names them.
 *
 * @packageDocumentation
 */
import type { GeneratorCallback, Tree } from '@nx/devkit'
import { type Options, scaffold } from './scaffold.ts'

type Generator = (tree: Tree, options: Options) => GeneratorCallback

export const engine: Generator = (tree, options) => scaffold(tree, 'engine', options)
export const journal: Generator = (tree, options) => scaffold(tree, 'journal', options)
export const transport: Generator = (tree, options) => scaffold(tree, 'transport', options)
export const machine: Generator = (tree, options) => scaffold(tree, 'machine', options)
export const balancer: Generator = (tree, options) => scaffold(tree, 'balancer', options)
