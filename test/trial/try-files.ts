import { join } from 'node:path';
import { definitionOf, openWorkshop, readTestFile, runTest, type TestOutcome } from '../../src/trial/index.ts';
import { folderWith } from '../loader/folder.ts';

/** Runs the tests of one file, beside definitions and tasks, as `sluice test` does. */
export async function outcomesOf(definitions: string, tests: string, tasks: Record<string, string> = {}): Promise<TestOutcome[]> {
  const ownTasks = Object.entries(tasks).map(([name, text]) => [`tasks/${name}`, text]);
  const folder = folderWith({ 'a.yaml': definitions, 'a.test.yaml': tests, ...Object.fromEntries(ownTasks) });
  const workshop = await openWorkshop(ownTasks.length > 0 ? { TASKS_DIR: join(folder, 'tasks') } : {});
  const { read, faults } = await readTestFile(join(folder, 'a.test.yaml'));
  if (read === null) throw new Error(JSON.stringify(faults));
  const outcomes: TestOutcome[] = [];
  for (const test of read.fixture.tests) {
    const definition = definitionOf(test, read);
    if (typeof definition === 'string') throw new Error(definition);
    outcomes.push(await runTest(workshop, { definition, limiters: read.looked.loaded.limiters }, test, read.fixture));
  }
  return outcomes;
}

/** A definition of one stage. */
export const oneStage = (tasks: string, more = ''): string => `id: a\nstages:\n  - name: A\n    tasks: ${tasks}\n${more}`;
