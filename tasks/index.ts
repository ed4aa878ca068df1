/**
 * The built-in tasks, one a file, the file named as the task. This list is the whole registration: a file that isn't in it doesn't exist.
 * What several of them need is in kit/.
 *
 * A task here knows its value, its parameters and its context; it doesn't know HTTP, stores or pipelines. It reaches outside the process only where its
 * options let it.
 */
import type { TaskDeclaration } from '../src/engine/index.ts';
import { fileAppend } from './file_append.ts';
import { hash } from './hash.ts';
import { jsonSchema } from './json_schema.ts';
import { jsonata } from './jsonata.ts';

export interface BuiltInOptions {
  /** The only folder that `file_append` writes to. */
  outputDir: string;
}

export function builtInTasks(options: BuiltInOptions): TaskDeclaration[] {
  return [fileAppend(options), hash, jsonSchema, jsonata];
}
