import type { Command } from '../command.ts';
import { bench } from './bench.ts';
import { complete, completion } from './completion.ts';
import { pause, resume, scale } from './control.ts';
import { feed } from './feed.ts';
import { lint } from './lint.ts';
import { ls } from './ls.ts';
import { cancel, errors, retry } from './repair.ts';
import { results } from './results.ts';
import { run } from './run.ts';
import { store } from './store.ts';
import { test } from './test.ts';
import { watch } from './watch.ts';
import { why } from './why.ts';

/** In the order of the help. */
export const COMMANDS: readonly Command[] = [
  ls,
  feed,
  run,
  watch,
  results,
  errors,
  retry,
  cancel,
  why,
  pause,
  resume,
  scale,
  lint,
  test,
  bench,
  store,
  completion,
];

/** For other programs: the help does not list them. */
export const HIDDEN: readonly Command[] = [complete];
