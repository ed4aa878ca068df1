import { statSync } from 'node:fs';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take long and do not look it, or wait more than they compute: one that came last would be waited for alone. */
const FIRST = ['test/http/run-body.test.ts', 'test/e2e/vain-starts.test.ts'];
const FIRST_OF_SHARED = 'test/conformance/sqlite.test.ts';

/**
 * Runs the files in the same order every time: those that it names first, then those with a process of their own, and larger files before
 * smaller ones. Vitest's own order follows how long each took on this machine before.
 */
export class FileOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const projects = [['measured', 'apart'], ['long'], ['shared']];
    const key = ({ project, moduleId }: TestSpecification): [number, number, string] => [
      FIRST.some((file) => moduleId.endsWith(file)) ? -1 : projects.findIndex((names) => names.includes(project.name)),
      moduleId.endsWith(FIRST_OF_SHARED) ? Number.NEGATIVE_INFINITY : -statSync(moduleId).size,
      moduleId,
    ];
    return files
      .map((file) => ({ file, key: key(file) }))
      .sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || (a.key[2] < b.key[2] ? -1 : 1))
      .map(({ file }) => file);
  }
}
