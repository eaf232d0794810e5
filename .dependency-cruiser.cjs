/**
 * Import floors: a package imports only from strictly lower floors. A new package is on the floor of its name;
 * one whose name matches no floor is refused. Tests may import from any floor.
 * The reason for each floor is in docs/adr/0001-floors.md.
 */
const FLOORS = [
  ['packages/interface'],
  ['packages/quorum'],
  ['packages/engine-parts'],
  [
    'packages/(?:engine(?!-parts)|journal|transport|machine|balancer)-[^/]+',
    'packages/balance',
    'packages/linearizability',
  ],
  ['packages/replica', 'packages/client'],
  ['packages/node', 'packages/proxy', 'packages/simulator'],
  ['packages/(?:testing|compliance)'],
  ['apps/[^/]+'],
]

/** What must also run in a browser: no node: module, no package outside the workspace. */
const PURE = '^packages/(?:interface|quorum|balance|linearizability|engine-[^/]+|machine-[^/]+|balancer-[^/]+)/src/'

const onFloors = (floors) => `^(?:${floors.flat().join('|')})/`

/** A module may import itself, its own package, and the floors below its own. */
const floorRules = FLOORS.map((here, floor) => ({
  name: `floor-${floor}`,
  comment: `${here.join(', ')} may import only from floors below ${floor}`,
  severity: 'error',
  from: { path: `^(${here.join('|')})/src/` },
  to: {
    path: '^(?:packages|apps|tools|bench|examples)/',
    pathNot: ['^$1/src/', '^$1/package\\.json$', ...(floor > 0 ? [onFloors(FLOORS.slice(0, floor))] : [])],
  },
}))

module.exports = {
  forbidden: [
    ...floorRules,
    {
      name: 'floor-unknown',
      comment: 'a package must stand on a floor: name it by its role or add it to FLOORS',
      severity: 'error',
      from: { path: '^(?:packages|apps)/[^/]+/src/', pathNot: onFloors(FLOORS) },
      to: {},
    },
    {
      name: 'pure-imports-pure',
      comment: 'engines, machines, balancers, quorum and interface run in a browser as they are',
      severity: 'error',
      from: { path: PURE },
      to: { pathNot: '^packages/' },
    },
    {
      name: 'no-circular',
      comment: 'a circle of modules loads in an order that nobody chose; type-only imports are gone by then',
      severity: 'error',
      from: { path: '^(?:packages|apps)/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: { path: '^(?:packages|apps)/[^/]+/src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: '(?:^|/)node_modules/' },
    exclude: { path: '(?:^|/)dist/' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@conclave/source', 'node', 'import', 'default'],
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.json'],
    },
  },
}
