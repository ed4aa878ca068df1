/**
 * Signals that ask the process to end, from its first moment: this module is imported before anything that takes time, and what comes while the
 * others load is passed on when there is somebody to hear it.
 *
 * Own handlers, not close-with-grace: at a second signal that one exits at once with code 1, where here the pipelines are aborted in order, the
 * report is logged and the code is 0. They come first: the watchdog hears signals too, and ends nothing by itself.
 */
import type { ShutdownMode } from '../schemas/control.ts';

/** Under npm a Ctrl-C comes twice: from the terminal to the whole group, and passed on by npm. That is one signal. */
const ECHO_MS = 100;

export interface SignalHandlers {
  /** Asked to end: softly at first, by force by every later signal. */
  end(mode: ShutdownMode, signal: string): void;
  /** Asked to read keys, secrets and definitions again. */
  reload(signal: string): void;
}

let handlers: SignalHandlers | undefined;
let early: ((to: SignalHandlers) => void)[] = [];
let firstAt: number | undefined;

function tell(what: (to: SignalHandlers) => void): void {
  if (handlers === undefined) early.push(what);
  else what(handlers);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    const now = performance.now();
    if (firstAt !== undefined && now - firstAt < ECHO_MS) return;
    const mode = firstAt === undefined ? 'graceful' : 'force';
    firstAt ??= now;
    tell((to) => to.end(mode, signal));
  });
}
// Sent by operators, and when a terminal goes away; by default it kills.
process.on('SIGHUP', () => tell((to) => to.reload('SIGHUP')));

/** Passes on what has come until now and what comes. To be called once. */
export function handleSignals(by: SignalHandlers): void {
  handlers = by;
  for (const what of early) what(by);
  early = [];
}
