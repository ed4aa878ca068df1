import { join } from 'node:path';
import { folderWith } from '../loader/folder.ts';

/**
 * A moment of a start: when a module is loaded, named by the end of its address, or when a line of the log is out that contains a text.
 */
export type Moment = { loading: string } | { logged: string };

/** What happens to a process then: it sends itself a signal, or its event loop is held for some milliseconds. */
export type Happening = { signal: NodeJS.Signals } | { heldMs: number };

const PRELOAD = `
const { isMainThread } = require('node:worker_threads');
const { registerHooks } = require('node:module');
const fs = require('node:fs');
const { moment, happening } = JSON.parse(process.env.AT);
let isOver = !isMainThread;
function happen() {
  if (isOver) return;
  isOver = true;
  if (happening.signal) process.kill(process.pid, happening.signal);
  else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, happening.heldMs);
}
if (moment.loading) {
  registerHooks({
    load(url, context, next) {
      if (url.endsWith(moment.loading)) happen();
      return next(url, context);
    },
  });
} else {
  const { writeSync } = fs;
  fs.writeSync = (...args) => {
    const written = writeSync(...args);
    if (String(args[1]).includes(moment.logged)) happen();
    return written;
  };
}
`;

/** The environment of a service to which this happens at that moment, exactly. */
export function at(moment: Moment, happening: Happening): Record<string, string> {
  const file = join(folderWith({ 'preload.cjs': PRELOAD }), 'preload.cjs');
  return { NODE_OPTIONS: `--disable-warning=ExperimentalWarning --require=${file}`, AT: JSON.stringify({ moment, happening }) };
}
