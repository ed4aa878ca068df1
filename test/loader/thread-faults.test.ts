import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import type { Logger, ThreadJob, ThreadRunner } from '../../src/engine/ports.ts';
import { createThreadRunner } from '../../src/loader/threads.ts';
import { folderWith } from './folder.ts';

interface Line {
  level: string;
  fields: Record<string, unknown>;
  message: string;
}

/** Keeps what is logged, and tells who waits for a line. */
class Log implements Logger {
  readonly lines: Line[] = [];
  private readonly watchers = new Set<() => void>();
  debug = this.to('debug');
  info = this.to('info');
  warn = this.to('warn');
  error = this.to('error');

  private to(level: string) {
    return (fields: object, message: string): void => {
      this.lines.push({ level, fields: fields as Record<string, unknown>, message });
      for (const watch of [...this.watchers]) watch();
    };
  }

  logged(text: string): Promise<Line> {
    return new Promise((resolve) => {
      const watch = (): void => {
        const found = this.lines.find(({ message }) => message.includes(text));
        if (found === undefined) return;
        this.watchers.delete(watch);
        resolve(found);
      };
      this.watchers.add(watch);
      watch();
    });
  }
}

const never = new AbortController().signal;
const runners: ThreadRunner[] = [];

function runnerOf(logger: Logger, maxThreads = 1): ThreadRunner {
  const runner = createThreadRunner({ logger, maxThreads, heapMib: 32 });
  runners.push(runner);
  return runner;
}

afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
});

/** A job whose module's `run` has this text; `args` and `ctx` are in reach. */
function job(body: string, args: unknown[] = [], itemId = 'i'): ThreadJob {
  const folder = folderWith({
    'task.mjs': `import { parentPort, workerData, threadId } from 'node:worker_threads';
      export default { async run(...args) { const ctx = args.pop(); ${body} } }`,
  });
  const place = { pipeline: 'p', stage: 's', task: 't', worker: 's-W1' };
  const context = { itemId, sequenceId: 1, ...place, attempt: 1, lastError: null, metadata: {}, params: {}, trace: null };
  return {
    module: pathToFileURL(join(folder, 'task.mjs')).href,
    args,
    context,
    onBegin: () => undefined,
    onStatus: () => undefined,
    onProgress: () => undefined,
  };
}

const FOREVER = 'await new Promise(() => setInterval(() => {}, 1000));';

async function thrownBy(run: Promise<unknown>): Promise<ReturnType<typeof describeThrown>> {
  const thrown = await run.then(
    (value) => expect.fail(`it answered ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  return describeThrown(thrown);
}

const FAULTS: [string, string, string, RegExp][] = [
  ['leaves a rejected promise behind', `Promise.reject(new RangeError('left')); ${FOREVER}`, 'RangeError', /promise behind.*: left/],
  ['rejects a promise with no error', `Promise.reject(undefined); ${FOREVER}`, 'NonError', /promise behind.*: undefined/],
  ['throws from a timer', `setTimeout(() => { throw new TypeError('late'); }, 1); ${FOREVER}`, 'TypeError', /callback.*: late/],
  ['throws from a tick', `process.nextTick(() => { throw new Error('tick'); }); ${FOREVER}`, 'Error', /callback.*: tick/],
  ['throws null from an immediate', `setImmediate(() => { throw null; }); ${FOREVER}`, 'NonError', /callback.*: null/],
  [
    'emits an error that nobody hears',
    `const { EventEmitter } = await import('node:events'); setTimeout(() => new EventEmitter().emit('error', new Error('unheard')), 1); ${FOREVER}`,
    'Error',
    /callback.*: unheard/,
  ],
  ['ends its thread with 0', 'process.exit(0);', 'ThreadEnded', /exit code 0/],
  ['ends its thread with 3 later', `setTimeout(() => process.exit(3), 1); ${FOREVER}`, 'ThreadEnded', /exit code 3/],
  ['takes all memory', 'const all = []; for (;;) all.push({ n: all.length, two: [1, 2] });', 'OutOfMemory', /out of memory/],
  ['aborts the process', 'process.abort();', 'TypeError', /not supported/],
  ['closes its port and ends', 'parentPort.close(); process.exit(0);', 'ThreadEnded', /exit code 0/],
  [
    'takes away the listeners and throws later',
    `process.removeAllListeners('uncaughtException'); setTimeout(() => { throw new Error('bare'); }, 1); ${FOREVER}`,
    'Error',
    /bare/,
  ],
];

describe('a job that hurts its thread while it runs', () => {
  it.each(FAULTS)('fails alone when it %s; those beside and behind it go on', async (_, body, type, message) => {
    const log = new Log();
    const runner = runnerOf(log, 2);
    const release = new Int32Array(new SharedArrayBuffer(4));
    const beside = runner.run(
      job('while (Atomics.load(args[0], 0) === 0) await new Promise(setImmediate); return "beside";', [release]),
      never,
    );
    const failing = thrownBy(runner.run(job(body), never));
    const behind = runner.run(job('return "behind";'), never);
    expect(await failing).toMatchObject({ type, message: expect.stringMatching(message), permanent: false });
    expect(await behind).toBe('behind');
    Atomics.store(release, 0, 1);
    expect(await beside).toBe('beside');
    expect(await runner.run(job('return "after";'), never)).toBe('after');
  });

  it('answers although it posts what nobody takes and closes its port', async () => {
    const log = new Log();
    const runner = runnerOf(log);
    const body = `for (const odd of [undefined, null, 1, 'x', {}, { leftBehind: 1 }, { leftBehind: null }, { leftBehind: { error: null } }]) parentPort.postMessage(odd);
      return "done";`;
    expect(await runner.run(job(body), never)).toBe('done');
    await log.logged('nothing receives it');
    expect(await runner.run(job('parentPort.close(); return "closed";'), never)).toBe('closed');
    expect(await runner.run(job('return "after";'), never)).toBe('after');
  });
});

const LEFT: [string, string, string][] = [
  ['a promise that rejects', `Promise.reject(new Error('left'));`, 'the task left a promise behind that was rejected, after its end'],
  ['a timer that throws', `throw new Error('left');`, 'a callback of the task threw, after its end'],
];

describe('what a job leaves behind after its end', () => {
  /** Waits in the thread for a sign, then does what is to be left behind. */
  const later = (what: string): string =>
    `const sign = args[0]; const wait = () => { if (Atomics.load(sign, 0) === 0) setImmediate(wait); else { ${what} } }; setImmediate(wait); return threadId;`;

  it.each(LEFT)('%s is logged with its item, and the job that has the thread now is not hurt', async (_, what, message) => {
    const log = new Log();
    const runner = runnerOf(log);
    const [sign, release] = [new Int32Array(new SharedArrayBuffer(4)), new Int32Array(new SharedArrayBuffer(4))];
    const thread = await runner.run(job(later(what), [sign], 'culprit'), never);
    const next = runner.run(
      job('Atomics.store(args[0], 0, 1); while (Atomics.load(args[1], 0) === 0) await new Promise(setImmediate); return threadId;', [
        sign,
        release,
      ]),
      never,
    );
    const line = await log.logged(message);
    expect(line).toMatchObject({ level: 'error', fields: { pipeline: 'p', stage: 's', task: 't', item: 'culprit' } });
    expect((line.fields.err as Error).message).toBe('left');
    Atomics.store(release, 0, 1);
    expect(await next).toBe(thread);
  });

  it('an end of its thread between two jobs costs nobody anything', async () => {
    const log = new Log();
    const runner = runnerOf(log);
    const sign = new Int32Array(new SharedArrayBuffer(4));
    const body = `process.removeAllListeners('uncaughtException'); ${later("throw new Error('idle');")}`;
    const thread = await runner.run(job(body, [sign]), never);
    Atomics.store(sign, 0, 1);
    expect((await log.logged('while it had no job')).fields.err).toMatchObject({ message: 'idle' });
    expect(await runner.run(job('return threadId;'), never)).not.toBe(thread);
  });
});
