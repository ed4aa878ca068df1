import { statSync } from 'node:fs';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Runs the files in the same order every time: those with a process of their own first, which take longest, and larger files before smaller ones.
 * Vitest's own order follows how long each took on this machine before.
 */
export class FileOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const projects = ['apart', 'long', 'shared'];
    const key = ({ project, moduleId }: TestSpecification): [number, number, string] => [
      projects.indexOf(project.name),
      -statSync(moduleId).size,
      moduleId,
    ];
    return files
      .map((file) => ({ file, key: key(file) }))
      .sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || (a.key[2] < b.key[2] ? -1 : 1))
      .map(({ file }) => file);
  }
}
