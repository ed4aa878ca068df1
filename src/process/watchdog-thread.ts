/**
 * The thread that looks after the event loop. It ends the process when
 *
 * - the loop has not beaten for `stallSeconds` since the service serves: what holds it is logged, and blamed beside the store;
 * - a shutdown has not ended in its time, whether the loop knows of it or not: a report says what is known.
 *
 * A start may take as long as it takes: what holds the loop there is work of its own. Nothing that it does is anybody's fault, so it blames nobody:
 * whoever ended the process before stays blamed.
 *
 * It counts its own ticks and never looks at a clock: when the machine or the process sleeps, both threads sleep, and nobody is late.
 */
import { Session } from 'node:inspector';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CALLS_MAX, type Work } from '../engine/ports.ts';
import { createSecrets } from '../loader/secrets.ts';
import { writeBlame } from '../stores/sqlite/blame.ts';
import { CELL, type Place, workOf } from './loop-notes.ts';
import { fatalRecord, killOwnProcess, writeOut } from './record.ts';
import { type WatchdogData, type WatchdogMessage, WORK_NOW } from './watchdog-messages.ts';

/** Time that a shutdown may take beyond its own limit, for closing threads, replies and the store. */
const SHUTDOWN_GRACE_SECONDS = 10;
/** A loop that has been silent for so long does none of that. */
const HELD_SECONDS = 2;
/** npm passes a signal on that the terminal has sent already. */
const ECHO_SECONDS = 0.1;
const ASK_MS = 1000;
const WRITE_MS = 1000;

const port = parentPort as MessagePort;
const data = workerData as WatchdogData;
const cells = new Float64Array(data.notes.cells);
const chars = new Uint16Array(data.notes.chars);
const places = new Map<number, Place>();
const secrets = createSecrets(data.secrets);
const ticksOf = (seconds: number): number => Math.ceil((seconds * 1000) / data.tickMs);

let beats = -1;
let silentTicks = 0;
/** Ticks until the limit of the shutdown; it is negative after that. null: none has been asked for. */
let ticksLeft: number | null = null;
let isAcknowledged = false;
let isServing = false;
let hasReport = false;
let tickCount = 0;
let signalledAt: number | null = null;
let isEnding = false;
let hasComplained = false;

function tick(): void {
  tickCount++;
  const now = cells[CELL.beats] as number;
  silentTicks = now === beats ? silentTicks + 1 : 0;
  beats = now;
  if (silentTicks === 0) hasComplained = false;
  if (ticksLeft !== null) ticksLeft--;
  if (isEnding) return;
  // With its report out, a process that exits has nothing left to lose and beats no more: it has its whole grace.
  const isHeld = !hasReport && silentTicks >= ticksOf(HELD_SECONDS);
  const isLate = ticksLeft !== null && (ticksLeft <= -ticksOf(SHUTDOWN_GRACE_SECONDS) || (isHeld && ticksLeft <= -ticksOf(HELD_SECONDS)));
  const isStalled = isServing && !hasReport && silentTicks >= ticksOf(data.stallSeconds);
  if (!isLate && !isStalled) return;
  isEnding = true;
  void end(isStalled ? 'stall' : 'shutdown', isHeld || isStalled);
}

async function end(why: 'stall' | 'shutdown', isHeld: boolean): Promise<void> {
  const asked = isHeld ? await askMainThread() : null;
  const isDebugged = cells[CELL.debugged] === 1;
  if (why === 'stall' && (isDebugged || beats !== cells[CELL.beats])) {
    isEnding = false;
    if (isDebugged && !hasComplained) await say({}, 'the event loop stands; the process goes on, since a debugger may be at work');
    hasComplained = isDebugged;
    return;
  }
  const work = isHeld ? (asked?.work ?? noted()) : null;
  const seconds = (silentTicks * data.tickMs) / 1000;
  const holder = { ...work, stack: asked?.stack ?? null };
  if (why === 'stall') await say({ ...holder, standsForSeconds: seconds }, 'the event loop stands; the process ends');
  if (ticksLeft !== null && !hasReport) await say({ ...UNKNOWN_REPORT, ...(isHeld ? { heldBy: holder } : {}) }, 'shutdown report');
  if (data.blamePath !== null && isServing) {
    try {
      // If the culprit is unknown, all running items are counted: one of them is at fault.
      if (work?.pipeline && work.sequenceId !== null) {
        writeBlame(data.blamePath, { pipeline: work.pipeline, sequenceId: work.sequenceId });
      } else if (!isHeld || hasReport) writeBlame(data.blamePath, null);
    } catch (error) {
      await say({ error: String(error) }, 'it cannot be noted who is to blame; all that runs is');
    }
  }
  killOwnProcess();
  setTimeout(abort, WRITE_MS);
}

/** The main thread could not say. */
const UNKNOWN_REPORT = {
  mode: 'force',
  finished: null,
  leftQueued: null,
  aborted: null,
  notKept: null,
  notKeptIds: [],
  timedOut: true,
  note: 'the shutdown did not end in its time: what is in the store goes on at the next start, what ended in the last moments may run again',
};

async function say(fields: object, message: string): Promise<void> {
  if (!data.isSilent) await writeOut(secrets.maskLine(fatalRecord(fields, message)), WRITE_MS);
}

function noted(): Work | null {
  const where = cells[CELL.where] as number;
  const sequenceId = cells[CELL.sequence] as number;
  if (where === 0) return null;
  const place = workOf(places.get(Math.floor(where / CALLS_MAX)), where);
  if (sequenceId === 0) return { ...place, item: null, sequenceId: null };
  return { ...place, item: String.fromCharCode(...chars.subarray(1, 1 + (chars[0] as number))), sequenceId };
}

/** Interrupts JavaScript that runs there, a busy loop too, and asks; a system call that does not return cannot be interrupted. */
function askMainThread(): Promise<{ work: Work | null; stack: string } | null> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), ASK_MS);
    try {
      const session = new Session();
      session.connectToMainThread();
      const expression = `globalThis[Symbol.for(${JSON.stringify(WORK_NOW)})]?.()`;
      session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, answer) => {
        const text = error === null ? answer?.result.value : undefined;
        resolve(typeof text === 'string' ? JSON.parse(text) : null);
      });
    } catch {
      // A Node without an inspector.
      resolve(null);
    }
  });
}

interface Internals {
  internalBinding(name: 'signal_wrap'): {
    Signal: new () => { onsignal: (signal: number) => void; start(signal: number): void; unref(): void };
  };
  internalBinding(name: 'process_methods'): { abort(): never };
}

/** Only with `--expose-internals`, which this thread alone is started with. */
function internals(): Internals | null {
  try {
    return createRequire(import.meta.url)('internal/test/binding') as Internals;
  } catch {
    return null;
  }
}

/** The first process of a container is not killed by itself; a fault it does not survive. */
function abort(): void {
  internals()?.internalBinding('process_methods').abort();
}

/** Hears SIGTERM and SIGINT beside the main thread, which hears nothing while its loop is held. Its own clock runs until that one answers. */
function hearSignals(): void {
  try {
    const { Signal } = internals()?.internalBinding('signal_wrap') ?? {};
    if (Signal === undefined) return;
    for (const signal of [constants.signals.SIGTERM, constants.signals.SIGINT]) {
      const handle = new Signal();
      handle.unref();
      handle.onsignal = () => {
        if (isAcknowledged) return;
        const isEcho = signalledAt !== null && tickCount - signalledAt < ticksOf(ECHO_SECONDS);
        if (isEcho) return;
        // As the main thread would take it: the second one aborts at once. Those that follow give no time back.
        ticksLeft = signalledAt === null ? ticksOf(data.shutdownSeconds) : Math.min(ticksLeft ?? 0, 0);
        signalledAt ??= tickCount;
      };
      handle.start(signal);
    }
  } catch {
    // Another Node: then a loop that is held hears of the signal when it goes on, at the latest it ends as one that stands.
  }
}

port.on('message', (message: WatchdogMessage) => {
  if (message.is === 'place') places.set(message.place.place, message.place);
  else if (message.is === 'serving') {
    isServing = true;
    // What the start has held is over.
    silentTicks = 0;
  } else if (message.is === 'reported') hasReport = true;
  else if (message.is === 'secrets') secrets.replace(message.secrets);
  else {
    isAcknowledged = true;
    ticksLeft = ticksOf(message.seconds);
  }
});
hearSignals();
setInterval(tick, data.tickMs);
port.postMessage('ready');
