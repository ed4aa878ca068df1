import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { weightOf } from '../../src/schemas/value-weight.ts';
import { cpuMsOf as cpuMsInProc } from './cpu-time.ts';
import { type Answers, type Batch, EVALUATION_LIMITS, type Work } from './evaluation.ts';

/** The attempt for which something is evaluated: it waits until a process begins with it, and again if that process dies. */
export interface Waiter {
  waits(reason: 'thread'): void;
  begins(): void;
}

export interface EvaluatorPool {
  /** Rejects with an Error that says what is wrong, or which limit was met. */
  run(work: Work, input: unknown, waiter?: Waiter): Promise<unknown>;
  /** Ends the processes at once, evaluating or not. */
  close(): void;
}

export interface EvaluatorPoolOptions {
  /** How many processes at most; at least 2, so that a slow expression leaves one for the others. */
  size?: number;
  memoryMb?: number;
  idleMs?: number;
  /** The processor time that a process has used, in milliseconds; null where that cannot be told. */
  cpuMsOf?: (pid: number) => number | null;
}

/** A failure that is not the fault of the expression or its input: a retry may succeed. */
export class EvaluatorUnavailableError extends Error {
  override name = 'EvaluatorUnavailable';
  readonly retryable = true;
}

/** A process that has had nothing to do for so long ends; starting one takes some hundredth of a second. */
const IDLE_MS = 30_000;
/** How much longer than its time limit a call may take. The evaluator ends it by itself, unless it is inside a native function. */
const GRACE_MS = 500;
/** A process that got less processor time than a call may take goes on for so many times its limit. Then the machine is to blame. */
const STARVED_FACTOR = 10;
/** The shortest wait before it is looked at again. */
const LOOK_MS = 50;
const STARTS_TRIED = 3;
const SPARE_UP_TO = 2;
/** A batch is as many calls as are expected to take so long, so that nobody waits behind a long row of others. */
const BATCH_MS = 4;
const BATCH_CALLS = 64;
const BATCH_WEIGHT = 1_048_576;
/** Works that take longer on average never occupy all the processes. */
const SLOW_MS = 50;
/** An evaluator that dies under a single call without running out of memory or time was ended from outside: it is tried again. */
const DEATHS_MAX = 3;

interface Call {
  lane: Lane;
  input: unknown;
  weight: number;
  /** Was in a batch whose evaluator died, so that it may be the one to blame. */
  alone: boolean;
  deaths: number;
  waiter: Waiter | undefined;
  isWaiting: boolean;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The calls of one work that wait, and what one costs. */
interface Lane {
  work: Work;
  waiting: Call[];
  averageMs: number;
}

interface Evaluator {
  child: ChildProcess;
  isReady: boolean;
  /** Sent and not answered, in order. */
  pending: Call[];
  isSlow: boolean;
  timer: NodeJS.Timeout | undefined;
  /** Its processor time as of its last message. */
  cpuMs: number;
  timedOut: 'late' | 'starved' | null;
}

/**
 * Processes that evaluate, started when they are needed. Works take turns; calls go in batches.
 *
 *     run ─▶ waiting ─▶ pending in an evaluator ─▶ answered
 *               ▲              │ it dies: out of memory, or killed because time is up
 *               └── alone ─────┴─ the only one that was pending is to blame ─▶ rejected
 */
export function createEvaluatorPool(options: EvaluatorPoolOptions = {}): EvaluatorPool {
  const size = Math.max(2, options.size ?? Math.min(4, availableParallelism()));
  const { memoryMb = EVALUATION_LIMITS.memoryMb, idleMs = IDLE_MS, cpuMsOf = cpuMsInProc } = options;
  const lanes = new WeakMap<Work, Lane>();
  /** Works with waiting calls; the one served last comes last. */
  const queued = new Set<Lane>();
  const evaluators = new Set<Evaluator>();
  let failedStarts = 0;
  let isDispatching = false;
  let isClosed = false;
  const killAll = (): void => {
    for (const { child } of evaluators) child.kill('SIGKILL');
  };

  function start(): void {
    if (evaluators.size === 0) process.on('exit', killAll);
    const child = fork(fileURLToPath(new URL(`./evaluator-process${extname(import.meta.url)}`, import.meta.url)), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // No secret of the environment, no option of this process.
      env: {},
      execArgv: [
        `--max-old-space-size=${memoryMb}`,
        '--max-semi-space-size=8',
        // V8 goes on with its linear-time engine where the backtracking one takes long. What that one cannot do is stopped by the time limit.
        '--enable-experimental-regexp-engine-on-excessive-backtracks',
      ],
    });
    const evaluator: Evaluator = { child, isReady: false, pending: [], isSlow: false, timer: undefined, cpuMs: 0, timedOut: null };
    evaluators.add(evaluator);
    child.on('message', (message) => onAnswers(evaluator, message as Answers));
    child.once('error', (error) => onEnd(evaluator, null, error.message));
    child.once('exit', (code, signal) => onEnd(evaluator, signal, `it ended with ${signal ?? code}`));
  }

  function onAnswers(evaluator: Evaluator, { answers, cpuMs }: Answers): void {
    evaluator.cpuMs = cpuMs;
    if (!evaluator.isReady) {
      evaluator.isReady = true;
      failedStarts = 0;
    }
    for (const answer of answers) {
      const call = evaluator.pending.shift();
      if (call === undefined) continue;
      begin(call);
      call.lane.averageMs += (answer.ms - call.lane.averageMs) / 8;
      if (answer.ok) call.resolve(answer.value);
      else call.reject(new Error(answer.message));
    }
    rearm(evaluator);
    if (evaluator.pending.length === 0) dispatch();
  }

  /** While it evaluates it is watched and keeps this process alive; afterwards it waits for a while. */
  function rearm(evaluator: Evaluator): void {
    clearTimeout(evaluator.timer);
    const { child } = evaluator;
    const [next] = evaluator.pending;
    if (next === undefined) {
      evaluator.timer = setTimeout(() => child.kill('SIGKILL'), idleMs);
      evaluator.timer.unref();
      child.unref();
      child.channel?.unref();
      return;
    }
    begin(next);
    const { timeoutMs } = next.lane.work;
    evaluator.timer = setTimeout(() => late(evaluator, timeoutMs, timeoutMs + GRACE_MS), timeoutMs + GRACE_MS);
    child.ref();
    child.channel?.ref();
  }

  /** Its time is up, by the clock: on a machine that has more to do than it can, it may have had none of the processor. `waitedMs`: since its last message. */
  function late(evaluator: Evaluator, timeoutMs: number, waitedMs: number): void {
    const now = cpuMsOf(evaluator.child.pid ?? 0);
    const leftMs = now === null ? 0 : timeoutMs - (now - evaluator.cpuMs);
    if (leftMs > 0 && waitedMs < STARVED_FACTOR * timeoutMs) {
      const ms = Math.max(LOOK_MS, leftMs);
      evaluator.timer = setTimeout(() => late(evaluator, timeoutMs, waitedMs + ms), ms);
      return;
    }
    evaluator.timedOut = leftMs > 0 ? 'starved' : 'late';
    evaluator.child.kill('SIGKILL');
  }

  function onEnd(evaluator: Evaluator, signal: NodeJS.Signals | null, how: string): void {
    if (!evaluators.delete(evaluator)) return;
    clearTimeout(evaluator.timer);
    evaluator.child.kill('SIGKILL');
    if (evaluators.size === 0) process.off('exit', killAll);
    const { pending } = evaluator;
    if (isClosed) {
      for (const call of [...pending, ...[...queued].flatMap(({ waiting }) => waiting)]) call.reject(closed());
      queued.clear();
      return;
    }
    if (!evaluator.isReady && ++failedStarts >= STARTS_TRIED) {
      giveUp(how);
      return;
    }
    const [only] = pending;
    if (pending.length === 1 && only !== undefined) blame(only, evaluator, signal, how);
    else {
      for (const call of pending) call.alone = true;
      for (const call of pending.reverse()) again(call);
    }
    dispatch();
  }

  function blame(call: Call, { timedOut }: Evaluator, signal: NodeJS.Signals | null, how: string): void {
    const { timeoutMs } = call.lane.work;
    call.lane.averageMs = Math.max(call.lane.averageMs, SLOW_MS + 1);
    if (timedOut === 'starved') {
      call.reject(
        new EvaluatorUnavailableError(
          `the evaluator process had less than ${timeoutMs / 1000} s of processor time within ${(STARVED_FACTOR * timeoutMs) / 1000} s`,
        ),
      );
    } else if (timedOut === 'late') call.reject(new Error(`it was stopped because it took longer than ${timeoutMs / 1000} s (time limit)`));
    // V8 ends the process in one of these ways.
    else if (signal === 'SIGABRT' || signal === 'SIGTRAP' || signal === 'SIGILL' || signal === 'SIGSEGV') {
      call.reject(new Error(`it was stopped because it needed more than ${memoryMb} MB of memory (memory limit)`));
    } else if (++call.deaths < DEATHS_MAX) again(call);
    else call.reject(new EvaluatorUnavailableError(`the evaluator process has ended: ${how}`));
  }

  function again(call: Call): void {
    wait(call);
    call.lane.waiting.unshift(call);
    queued.add(call.lane);
  }

  function giveUp(how: string): void {
    failedStarts = 0;
    for (const lane of queued) {
      for (const call of lane.waiting.splice(0)) call.reject(new EvaluatorUnavailableError(`no evaluator process can be started: ${how}`));
    }
    queued.clear();
  }

  function dispatch(): void {
    for (const evaluator of evaluators) {
      if (queued.size === 0) return;
      if (evaluator.isReady && evaluator.pending.length === 0) send(evaluator, nextBatch());
    }
    const all = [...evaluators];
    if (queued.size === 0 && all.every(({ pending }) => pending.length === 0)) return;
    if (all.length >= size || all.some(({ isReady, pending }) => !isReady || pending.length === 0)) return;
    // One is always ready while others are busy, as far as two go: a slow call then holds up nobody while another process starts.
    if (all.length < SPARE_UP_TO || (queued.size > 0 && mayBegin())) start();
  }

  function mayBegin(): boolean {
    return slowRunning() < size - 1 || [...queued].some((lane) => !isSlow(lane));
  }

  function slowRunning(): number {
    let count = 0;
    for (const { isSlow, pending } of evaluators) if (isSlow && pending.length > 0) count++;
    return count;
  }

  function nextBatch(): Call[] {
    const batch: Call[] = [];
    let ms = 0;
    let weight = 0;
    const slowMayGo = slowRunning() < size - 1;
    for (const lane of [...queued]) {
      while (lane.waiting.length > 0 && batch.length < BATCH_CALLS && ms < BATCH_MS && weight < BATCH_WEIGHT) {
        const call = lane.waiting[0] as Call;
        const goesAlone = call.alone || isSlow(lane);
        if (goesAlone && (batch.length > 0 || (isSlow(lane) && !slowMayGo))) break;
        lane.waiting.shift();
        batch.push(call);
        ms += goesAlone ? BATCH_MS : lane.averageMs;
        weight += call.weight;
      }
      queued.delete(lane);
      if (lane.waiting.length > 0) queued.add(lane);
      if (ms >= BATCH_MS || batch.length >= BATCH_CALLS || weight >= BATCH_WEIGHT) break;
    }
    return batch;
  }

  function send(evaluator: Evaluator, calls: Call[]): void {
    if (calls.length === 0) return;
    const works: Work[] = [];
    const indexes = new Map<Work, number>();
    const batch: Batch = {
      works,
      calls: calls.map(({ lane, input }) => {
        let work = indexes.get(lane.work);
        if (work === undefined) {
          work = works.push(lane.work) - 1;
          indexes.set(lane.work, work);
        }
        return { work, input };
      }),
    };
    try {
      evaluator.child.send(batch, onSent);
    } catch (error) {
      // One of the inputs cannot be copied; which one shows when each goes by itself.
      if (calls.length > 1) {
        for (const call of calls) call.alone = true;
        for (const call of calls.reverse()) again(call);
      } else calls[0]?.reject(new Error(`the value cannot be copied: ${(error as Error).message}`));
      setImmediate(dispatch);
      return;
    }
    evaluator.pending = calls;
    evaluator.isSlow = calls.some(({ lane }) => isSlow(lane));
    rearm(evaluator);
  }

  return {
    run(work, input, waiter) {
      if (isClosed) return Promise.reject(closed());
      const weight = weightOf(input, EVALUATION_LIMITS.inputWeight);
      if (weight > EVALUATION_LIMITS.inputWeight) {
        const limitMb = EVALUATION_LIMITS.inputWeight / 1_048_576;
        return Promise.reject(new Error(`the value is larger than ${limitMb} MB (input limit)`));
      }
      let lane = lanes.get(work);
      if (lane === undefined) {
        lane = { work, waiting: [], averageMs: BATCH_MS };
        lanes.set(work, lane);
      }
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const call: Call = { lane, input, weight, alone: false, deaths: 0, waiter, isWaiting: false, resolve, reject };
      wait(call);
      lane.waiting.push(call);
      queued.add(lane);
      // At the end of this turn, so that what begins together goes together.
      if (!isDispatching) {
        isDispatching = true;
        queueMicrotask(() => {
          isDispatching = false;
          dispatch();
        });
      }
      return promise;
    },
    close() {
      isClosed = true;
      killAll();
    },
  };
}

function wait(call: Call): void {
  if (call.isWaiting) return;
  call.isWaiting = true;
  call.waiter?.waits('thread');
}

/** It is the first of its batch now. Of those that are answered together, each begins with its answer: the batch as a whole counts once. */
function begin(call: Call): void {
  if (!call.isWaiting) return;
  call.isWaiting = false;
  call.waiter?.begins();
}

function closed(): Error {
  return new EvaluatorUnavailableError('the evaluators are closed');
}

/** A process that cannot be written to any more is about to end; its end is dealt with when it comes. */
function onSent(): void {}

function isSlow({ averageMs }: Lane): boolean {
  return averageMs > SLOW_MS;
}
