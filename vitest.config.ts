import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process a file: tests open sockets, start servers, and send signals.
    pool: 'forks',
    // Two files at a time, also on a machine with two cores: many tests wait for processes of their own.
    maxWorkers: 2,
    testTimeout: 15_000,
    hookTimeout: 15_000,
    teardownTimeout: 10_000,
    // Node 22 announces its type stripping on stderr, in worker threads too; Node 24 has nothing to say.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    restoreMocks: true,
    reporters: ['default', ['json', { outputFile: 'test-results/report.json' }]],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'routes/**/*.ts', 'tasks/**/*.ts'],
      reportsDirectory: 'coverage',
      reporter: ['text', 'html', 'json-summary'],
    },
  },
});
