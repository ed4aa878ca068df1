/*
 * Folder `trial`: definitions are checked and tried without a service: `sluice lint`, `sluice test` and `sluice bench`.
 *
 * Holds: A definition is checked as the service checks it, with the same tasks, variables and limits. A test reaches no network and writes nothing outside of a
 * folder that is gone afterwards, unless the author's own tasks do; nothing of it waits but what they do.
 * Refuses: to know anything of terminals; the commands print.
 */

export { type BenchFigures, bench } from './bench.ts';
export { lintFiles, lintLooked } from './lint.ts';
export { runTest, type TestOutcome } from './run-test.ts';
export { definitionOf, findTestFiles, readTestFile, type TestFile } from './test-files.ts';
export { openWorkshop, type Workshop } from './workshop.ts';
