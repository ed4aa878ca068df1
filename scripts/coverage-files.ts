/** Where coverage is written: by vitest for its own processes, and by V8 for each process and thread that a test starts. */
import { fileURLToPath } from 'node:url';

const at = (path: string): string => fileURLToPath(new URL(`../coverage/${path}`, import.meta.url));

export const COVERAGE: string = at('');
export const VITEST: string = at('vitest');
export const PROCESSES: string = at('processes');
