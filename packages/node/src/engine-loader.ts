import { statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type EngineFactory, isEngineName } from '@conclave/interface'
import { builtIns, engineNames, isBuiltIn } from './built-ins.ts'
import { EngineImportFailed, EngineNameTaken, EngineNotFound, NoEngine, WrongContract } from './engine-errors.ts'
import { type EngineSearch, entryOf, isPackageName, isPath, placeOf } from './engine-place.ts'

/** The version of the engines' contract that this build speaks. */
const contract = 1

/** An engine, and where it came from. */
export interface LoadedEngine {
  readonly factory: EngineFactory
  /** A built-in name, or the absolute path of what was imported: for a configuration that is read elsewhere. */
  readonly place: string
  /** All that its module exports; empty for one that comes with Conclave. */
  readonly exports: Readonly<Record<string, unknown>>
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** Whether it is meant as an engine, whatever its contract. */
const isMeant = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isObject(value) && typeof value.create === 'function' && 'contract' in value

/** Whether it is what `startNode` takes for an engine. */
export const isFactory = (value: unknown): value is EngineFactory =>
  isMeant(value) && value.contract === contract && isEngineName(value.name)

const notFound = (name: string, { from, also = [] }: EngineSearch): EngineNotFound => {
  const known = `Conclave comes with ${engineNames.join(', ')}`
  if (isPath(name)) return new EngineNotFound(`there is no engine at ${name}, seen from ${from}. ${known}.`)
  if (!isPackageName(name))
    return new EngineNotFound(
      `"${name}" names no engine: write a built-in name, a path that begins with ./ or /, or the name of a package. ${known}.`,
    )
  return new EngineNotFound(
    `there is no engine "${name}". ${known}, and no package of this name was found from ${[from, ...also].join(' or ')}. ` +
      `Install it (npm install ${name}, or for the command alone: conclave plugins install ${name}), or name a file: ./${name}.js`,
  )
}

const importFrom = async (place: string): Promise<Readonly<Record<string, unknown>>> => {
  const file = statSync(place).isDirectory() ? entryOf(place) : place
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new EngineImportFailed(`the engine in ${place} failed while it was loaded: ${why}`, { cause: error })
  }
}

/** The default export if it is an engine, otherwise the one named export that is. */
const engineIn = (exports: Readonly<Record<string, unknown>>, place: string): Readonly<Record<string, unknown>> => {
  const engines = isMeant(exports.default) ? [exports.default] : [...new Set(Object.values(exports).filter(isMeant))]
  const [engine] = engines
  if (engine === undefined)
    throw new NoEngine(
      `${place} holds no engine: its default export, or a named one, has to be an EngineFactory: { name, contract: ${contract}, create }.`,
    )
  if (engines.length === 1) return engine
  const names = engines.map(({ name }) => String(name)).join(', ')
  throw new NoEngine(`${place} holds several engines: ${names}. Make one of them its default export.`)
}

const judged = (engine: Readonly<Record<string, unknown>>, place: string): EngineFactory => {
  const { name } = engine
  if (engine.contract !== contract)
    throw new WrongContract(
      `the engine "${String(name)}" in ${place} was written for version ${String(engine.contract)} of the contract, and this build of Conclave speaks ${contract}: ` +
        'install the release of one that fits the other.',
    )
  if (!isFactory(engine))
    throw new NoEngine(
      `the engine in ${place} needs a name of 1 to 63 characters of 0-9 a-z A-Z @ / . _ -; it has ${JSON.stringify(name)}.`,
    )
  if (isBuiltIn(engine.name))
    throw new EngineNameTaken(
      `the engine in ${place} calls itself "${name}", as one that comes with Conclave: give it another name, or name "${name}" to run the built-in one.`,
    )
  return engine
}

/**
 * Loads an engine with all that is known of it.
 *
 * @param name one that comes with Conclave (`raft`, `paxos`); a path that begins with `./`, `../` or is absolute, of a package's directory or of a `.js` or `.mjs` file; or
 * the name of a package, looked for from `search.from`, then in `search.also`, then beside Conclave itself.
 * @throws EngineNotFound, NoEngine, WrongContract, EngineImportFailed, EngineNameTaken
 */
export const importEngine = async (name: string, search: EngineSearch): Promise<LoadedEngine> => {
  if (isBuiltIn(name)) return { factory: await builtIns[name](), place: name, exports: {} }
  const place = placeOf(name, search)
  if (place === undefined) throw notFound(name, search)
  const exports = await importFrom(place)
  return { factory: judged(engineIn(exports, place), place), place, exports }
}

/** The engine of this name; see `importEngine`. */
export const loadEngine = async (name: string, search: EngineSearch): Promise<EngineFactory> =>
  (await importEngine(name, search)).factory
