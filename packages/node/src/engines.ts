/**
 * The engines that a node can run, by name, path or package, apart from the node itself: `@conclave/node/engines`.
 *
 * @packageDocumentation
 */
export { type EngineName, engineNames, isBuiltIn } from './built-ins.ts'
export {
  EngineCreateFailed,
  EngineImportFailed,
  EngineNameTaken,
  EngineNotFound,
  NoEngine,
  WrongContract,
} from './engine-errors.ts'
export { importEngine, type LoadedEngine, loadEngine } from './engine-loader.ts'
export { type EngineSearch, placeOf } from './engine-place.ts'
