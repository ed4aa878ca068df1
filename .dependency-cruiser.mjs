/**
 * The import rules of ARCHITECTURE.md, run by `npm run deps`:
 *
 *   server → app → {routes, http, stores, cluster, tasks} → engine → schemas
 *
 * TypeScript 7 has no API to read imports with, so the parser is swc, and in swc mode a type import counts like any other.
 * `test` and `bench` are outside the layers: they may import anything of the product, the engine's internals too.
 *
 * Inside the engine and the HTTP side the same holds for rooms, see `scripts/rooms.ts`.
 */

import { roomRules } from './scripts/rooms.ts';

const product = '^(src|routes|tasks)/';
/** Imports Sluice by its name, as users do. */
const userCode = '^(examples/tasks|test/types)/';
const engineEntry = '^src/engine/(index|ports|store|stage/index)[.]ts$';

/** Node modules that compute, wait or observe, but reach nothing outside the process. */
const pureNodeModules =
  '^(node:)?(assert|async_hooks|buffer|crypto|diagnostics_channel|events|perf_hooks|string_decoder|timers|url|util)(/|$)';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'Every import names a file that exists or an installed package.',
      severity: 'error',
      from: { pathNot: userCode },
      to: { couldNotResolve: true },
    },
    {
      name: 'resolvable-for-users',
      comment:
        'The same for code as users write it, but for the name of this package: it leads to files that a build makes. `tsc` knows them without one.',
      severity: 'error',
      from: { path: userCode },
      to: { couldNotResolve: true, pathNot: '^sluice(/|$)' },
    },
    {
      name: 'declared-packages',
      comment: 'A package that is imported stands in package.json.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'product-needs-no-dev-packages',
      severity: 'error',
      from: { path: product },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-optional', 'npm-peer'] },
    },
    {
      name: 'product-imports-only-product',
      comment: 'src, routes and tasks know no test, script, benchmark, example or web page.',
      severity: 'error',
      from: { path: product },
      to: { path: '^(test|scripts|bench|examples|dashboard)/' },
    },
    {
      name: 'schemas-are-a-leaf',
      comment: 'src/schemas imports zod and its own files, nothing else.',
      severity: 'error',
      from: { path: '^src/schemas/' },
      to: { pathNot: ['^src/schemas/', '^node_modules/zod/'] },
    },
    {
      name: 'yaml-above-schemas',
      comment: 'Reading YAML is for the loader and for bodies; it knows no definitions.',
      severity: 'error',
      from: { path: '^src/yaml/' },
      to: { path: product, pathNot: '^src/(yaml|schemas)/' },
    },
    {
      name: 'engine-above-schemas-only',
      severity: 'error',
      from: { path: '^src/engine/' },
      to: { path: product, pathNot: '^src/(engine|schemas)/' },
    },
    {
      name: 'engine-packages',
      comment: 'The engine imports one package, p-queue.',
      severity: 'error',
      from: { path: '^src/engine/' },
      to: { path: 'node_modules/', pathNot: '^node_modules/p-queue/' },
    },
    {
      name: 'engine-without-io',
      comment: 'No files, sockets, processes or threads in the engine; what reaches outside comes in through a port.',
      severity: 'error',
      from: { path: '^src/engine/' },
      to: { dependencyTypes: ['core'], pathNot: pureNodeModules },
    },
    {
      name: 'engine-entry',
      comment: 'Outside src/engine only index.ts, ports.ts, store.ts and stage/index.ts are importable; test and bench may reach inside.',
      severity: 'error',
      from: { pathNot: '^(src/engine|test|bench)/' },
      to: { path: '^src/engine/', pathNot: engineEntry },
    },
    {
      name: 'stores-above-engine',
      comment: 'Stores know the engine and the schemas, and so not the cluster either.',
      severity: 'error',
      from: { path: '^src/stores/' },
      to: { path: product, pathNot: '^src/(stores|engine|schemas)/' },
    },
    {
      name: 'cluster-above-engine',
      comment: 'The cluster knows the engine and the schemas, and so not the stores either.',
      severity: 'error',
      from: { path: '^src/cluster/' },
      to: { path: product, pathNot: '^src/(cluster|engine|schemas)/' },
    },
    {
      name: 'migration-above-stores-and-cluster',
      comment: 'Moves from one kind of store to another, for a command: it knows both kinds, and no service.',
      severity: 'error',
      from: { path: '^src/migration/' },
      to: { path: product, pathNot: '^src/(migration|stores|cluster|engine|schemas)/' },
    },
    {
      name: 'ownership-is-pure',
      comment: 'Which node owns is decided without I/O, and without knowing how anything is carried out.',
      severity: 'error',
      from: { path: '^src/cluster/ownership/' },
      to: { pathNot: '^src/cluster/ownership/' },
    },
    {
      name: 'loader-above-engine',
      comment: 'Definitions and user tasks are read for the engine; HTTP, routes and single built-in tasks are no business of theirs.',
      severity: 'error',
      from: { path: '^src/loader/' },
      to: { path: product, pathNot: ['^src/(loader|engine|schemas|yaml)/', '^src/config[.]ts$', '^tasks/kit/'] },
    },
    {
      name: 'process-below-server',
      comment: 'How the process is watched and ended: it is told what it needs, and knows no route, task or configuration.',
      severity: 'error',
      from: { path: '^src/process/' },
      to: { path: product, pathNot: '^src/(process|engine|schemas|stores|loader)/' },
    },
    {
      name: 'composition-below-server',
      comment:
        'Puts the parts of a service together for the server, which alone imports it; it knows of the HTTP side what a node is to that.',
      severity: 'error',
      from: { path: '^src/composition/' },
      to: {
        path: product,
        pathNot: [
          '^src/(composition|process|engine|schemas|stores|loader|cluster|tracing)/',
          '^src/(config|version)[.]ts$',
          '^src/http/gateway/cluster-view[.]ts$',
          '^tasks/',
        ],
      },
    },
    {
      name: 'composition-for-the-server',
      severity: 'error',
      from: { path: product, pathNot: '^src/(composition/|server[.]ts$)' },
      to: { path: '^src/composition/' },
    },
    {
      name: 'tracing-below-server',
      comment: 'Spans are made for the engine, through its port; only here is OpenTelemetry known.',
      severity: 'error',
      from: { path: '^src/tracing/' },
      to: { path: product, pathNot: '^src/(tracing|engine|schemas)/' },
    },
    {
      name: 'opentelemetry-in-tracing',
      severity: 'error',
      from: { path: product, pathNot: '^src/tracing/' },
      to: { path: '^node_modules/@opentelemetry/' },
    },
    {
      name: 'tasks-above-engine',
      comment: 'A task knows the engine and the shapes of values; requests say by the version what sends them.',
      severity: 'error',
      from: { path: '^tasks/' },
      to: { path: product, pathNot: ['^(tasks|src/(engine|schemas))/', '^src/version[.]ts$'] },
    },
    {
      name: 'http-knows-no-routes',
      comment: 'src/http serves the routes: it may be imported by them and never the other way round.',
      severity: 'error',
      from: { path: '^src/http/' },
      to: { path: product, pathNot: ['^src/(http|engine|schemas|yaml)/', '^src/config[.]ts$'] },
    },
    {
      name: 'routes-above-http',
      comment: 'A route parses, makes one engine call and maps; the store, the cluster and the tasks are behind the engine.',
      severity: 'error',
      from: { path: '^routes/' },
      to: { path: product, pathNot: ['^(routes|src/(http|engine|schemas))/', '^src/config[.]ts$'] },
    },
    {
      name: 'config-above-schemas',
      comment:
        'The configuration with its limits and kinds of variables knows the schemas alone; the files of src/config are its own, and others ask src/config.ts.',
      severity: 'error',
      from: { path: '^src/(config/|(config|limits|variable)[.]ts$)' },
      to: { path: product, pathNot: '^src/((schemas|config)/|(limits|variable)[.]ts$)' },
    },
    {
      name: 'config-by-its-entry',
      comment: 'Of the product only src/config.ts and its own files import those of src/config.',
      severity: 'error',
      from: { path: product, pathNot: '^src/config(/|[.]ts$)' },
      to: { path: '^src/config/' },
    },
    {
      name: 'app-below-server',
      comment: 'Of the product only server.ts imports app.ts, and nothing imports server.ts, which starts to listen when loaded.',
      severity: 'error',
      from: { path: product, pathNot: '^src/server[.]ts$' },
      to: { path: '^src/(app|server)[.]ts$' },
    },
    {
      name: 'server-is-never-imported',
      severity: 'error',
      from: {},
      to: { path: '^src/server[.]ts$' },
    },
    {
      name: 'client-alone',
      comment:
        'The client runs in web pages: it knows nothing of the service but the types that are made of its document, and nothing of Node.',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { pathNot: ['^src/client/', '^node_modules/(openapi-fetch|eventsource-parser)/'] },
    },
    {
      name: 'terminal-is-a-client',
      comment:
        'The command line asks the service, as others do. The store is looked after without one, and definitions are checked and tried without one.',
      severity: 'error',
      from: { path: '^src/terminal/', pathNot: '^src/terminal/commands/(store|lint|test|bench)[.]ts$' },
      to: { path: product, pathNot: '^src/(terminal|client)/|^src/version[.]ts$' },
    },
    {
      name: 'trial-without-a-service',
      comment:
        'Definitions are tried with the engine, the tasks and what loads them: without HTTP, a store, a cluster or a process of a service.',
      severity: 'error',
      from: { path: '^src/trial/' },
      to: {
        path: [
          '^src/(http|stores|cluster|composition|process|terminal|client|migration|tracing)/',
          '^routes/',
          '^src/(app|server|hand)[.]ts$',
        ],
      },
    },
    {
      name: 'trial-for-commands',
      severity: 'error',
      from: { path: product, pathNot: '^src/(trial|terminal/commands)/' },
      to: { path: '^src/trial/' },
    },
    {
      name: 'terminal-is-never-imported',
      severity: 'error',
      from: { path: product, pathNot: '^src/terminal/' },
      to: { path: '^src/terminal/' },
    },
    {
      name: 'service-without-client',
      severity: 'error',
      from: { path: product, pathNot: '^src/(client|terminal)/' },
      to: { path: '^src/client/' },
    },
    {
      name: 'dashboard-is-a-client',
      comment:
        'The web page uses the public HTTP API and no module of the service; of its schemas it knows the types, of which a bundle has nothing.',
      severity: 'error',
      from: { path: '^dashboard/' },
      to: { path: product, pathNot: '^src/(client|schemas)/' },
    },
    ...roomRules(),
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    // A built page only: packages have folders of that name too, and an excluded package would escape every rule.
    exclude: { path: '^dashboard/dist/' },
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
