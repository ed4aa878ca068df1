import { defineConfig } from 'vitest/config';

/** Apart from the others: these tests need the packages of tools/clients, which `npm run clients:check` installs. */
export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/clients/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    setupFiles: ['test/setup/seed.ts'],
    reporters: ['default', ['json', { outputFile: process.env.TEST_REPORT ?? 'test-results/clients.json' }]],
  },
});
