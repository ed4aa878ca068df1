import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { PROCESSES, VITEST } from './scripts/coverage-files.ts';
import { PLAYED_LATER } from './scripts/played-later.ts';
import { FileOrder } from './test/setup/file-order.ts';
import { BUNDLED_SERVICE } from './test/setup/service-bundle.ts';

/** `npm run coverage`. */
const isMeasured = process.env.COVERAGE === '1';

/** Files that the run plays after the suite. */
const leftOut = process.env.LEAVE_OUT_PLAYED_LATER === '1' ? PLAYED_LATER : [];

/** Where Node keeps compiled code between the many processes that the tests start; each of them starts a quarter faster. */
const COMPILE_CACHE = fileURLToPath(new URL('./node_modules/.cache/compiled', import.meta.url));

/**
 * Rooms whose files share a process: each leaves nothing behind, and loading the code is most of what a short file costs. A file that computes
 * for long has a process of its own all the same, with a heap and compiled code that are made for it alone; so has one that counts the timers of its process.
 */
const SHARED = ['', 'engine/**/', 'tasks/**/', 'loader/**/', 'http/**/', 'routes/**/', 'conformance/**/', 'stores/**/'].map(
  (folder) => `test/${folder}*.test.ts`,
);
const LONG = [
  'engine/event-log',
  'engine/redefinition',
  'engine/shared-limiter',
  'engine/simulation',
  'engine/stored-simulation',
  'engine/templates',
  'engine/trouble-limits',
  'http/fuzz',
  'http/fuzz-notices',
  'http/run-body',
  'http/unread-body',
  'http/unread-replies',
  'loader/masking',
  'readme',
  'server',
  'stores/crash-simulation',
  'stores/redeployment',
  'stores/retention',
  'stores/trouble',
  'tasks/evaluators',
  'tasks/hostile-values',
  'tasks/schema-linear',
].map((file) => `test/${file}.test.ts`);

/**
 * Files whose processes are measured, one or two of each kind of process. What a process writes at its end, and code that is compiled anew at each start, cost more than a third of
 * all that a service needs to start and end.
 */
const MEASURED = ['e2e/cluster', 'e2e/start-and-stop', 'e2e/task-end', 'terminal/terminal'].map((file) => `test/${file}.test.ts`);
const CACHED = { NODE_COMPILE_CACHE: COMPILE_CACHE };

export default defineConfig({
  test: {
    // A process a file or a worker: tests open sockets, start servers, and send signals.
    pool: 'forks',
    // Three files at a time, also on a machine with two cores: many tests wait for processes of their own.
    maxWorkers: 3,
    testTimeout: 15_000,
    hookTimeout: 15_000,
    teardownTimeout: 10_000,
    // Node 22 announces its type stripping on stderr, in worker threads too; Node 24 has nothing to say.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // Processes and threads that a test starts write what of the code they ran. Of cached code V8 doesn't know it exactly.
    env: isMeasured ? { NODE_V8_COVERAGE: PROCESSES } : CACHED,
    restoreMocks: true,
    sequence: { sequencer: FileOrder },
    globalSetup: ['test/setup/scratch.ts', 'test/setup/service-bundle.ts'],
    setupFiles: ['test/setup/seed.ts'],
    reporters: ['default', ['json', { outputFile: process.env.TEST_REPORT ?? 'test-results/report.json' }]],
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: SHARED,
          exclude: [...LONG, ...leftOut],
          isolate: false,
          setupFiles: ['test/setup/seed.ts', 'test/setup/nothing-left.ts'],
        },
      },
      { extends: true, test: { name: 'long', include: LONG, exclude: [...leftOut] } },
      { extends: true, test: { name: 'measured', include: MEASURED } },
      // Those of test/clients have packages and a configuration of their own.
      {
        extends: true,
        test: {
          name: 'apart',
          include: ['test/**/*.test.ts'],
          exclude: [...SHARED, ...MEASURED, 'test/clients/**', ...leftOut],
          env: { ...(isMeasured && { NODE_V8_COVERAGE: '' }), ...CACHED, SERVICE_ENTRY: BUNDLED_SERVICE },
        },
      },
    ],
    coverage: {
      enabled: isMeasured,
      provider: 'v8',
      include: ['src/**/*.ts', 'routes/**/*.ts', 'tasks/**/*.ts'],
      reportsDirectory: VITEST,
      reporter: ['json'],
    },
  },
});
