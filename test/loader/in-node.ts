import { execFileSync } from 'node:child_process';
import { folderWith } from './folder.ts';

/**
 * Loads these files as the tasks of a folder with nothing else around them, in a process of its own, since the test runner resolves imports in its
 * own way. `script` has them as `tasks` and `find(name)`, and prints JSON.
 */
export function loadedInNode(files: Record<string, string>, script: string): unknown {
  const text = `import { loadUserTasks } from ${JSON.stringify(import.meta.resolve('../../src/loader/user-tasks.ts'))};
    import { createThreadRunner } from ${JSON.stringify(import.meta.resolve('../../src/loader/threads.ts'))};
    const tasks = await loadUserTasks(${JSON.stringify(folderWith(files))}, []);
    const find = (name) => tasks.find((task) => task.name === name);
    ${script}`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', text], { encoding: 'utf8' }));
}
