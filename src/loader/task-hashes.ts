import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskDeclaration } from '../engine/index.ts';
import type { TaskKind } from '../schemas/task.ts';

/** A task by which processes tell whether they run the same. */
export interface HashedTask {
  name: string;
  kind: TaskKind;
  hash: string;
}

/** Files that make a task what it is. */
const CODE = /[.](?:[cm]?[jt]s|json)$/;

/**
 * The built-in tasks with the version of Sluice, and those of TASKS_DIR with a hash of all code in that folder, since they may share some: names and bytes of its files and
 * subfolders, but for `node_modules` and what begins with a dot.
 */
export async function hashTasks(
  builtIn: readonly TaskDeclaration[],
  own: readonly TaskDeclaration[],
  { version, folder }: { version: string; folder: string | undefined },
): Promise<HashedTask[]> {
  const hash = folder === undefined || own.length === 0 ? '' : await hashFolder(folder);
  const hashed = (hashOf: string) => (task: TaskDeclaration) => ({ name: task.name, kind: task.kind, hash: hashOf });
  return [...builtIn.map(hashed(version)), ...own.map(hashed(hash))];
}

async function hashFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of (await codeIn(folder, '')).sort()) {
    const bytes = await readFile(join(folder, file));
    hash.update(`${file.replaceAll('\\', '/')}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

async function codeIn(folder: string, within: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(folder, within), { withFileTypes: true })) {
    const path = join(within, entry.name);
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    if (entry.isDirectory()) found.push(...(await codeIn(folder, path)));
    else if (CODE.test(entry.name)) found.push(path);
  }
  return found;
}
