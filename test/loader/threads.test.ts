import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import type { Logger, ThreadJob, ThreadRunner } from '../../src/engine/ports.ts';
import { createThreadRunner } from '../../src/loader/threads.ts';
import { createGate } from '../e2e/gate.ts';
import { folderWith } from './folder.ts';

const never = new AbortController().signal;
const runners: ThreadRunner[] = [];

function runnerOf(options: Parameters<typeof createThreadRunner>[0] = { maxThreads: 1 }): ThreadRunner {
  const runner = createThreadRunner(options);
  runners.push(runner);
  return runner;
}

afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
});

/** A job whose module's `run` has this text; `args` and `ctx` are in reach. */
function job(body: string, args: unknown[] = [], overrides: Partial<ThreadJob> = {}, extension = 'mjs'): ThreadJob {
  const folder = folderWith({
    [`task.${extension}`]: `export default { own: 'this', async run(...args) { const ctx = args.pop(); ${body} } }`,
  });
  return {
    module: pathToFileURL(join(folder, `task.${extension}`)).href,
    args,
    context: {
      itemId: 'item-1',
      sequenceId: 7,
      pipeline: 'p',
      stage: 'S',
      task: 'task',
      worker: 'S-W0',
      attempt: 2,
      lastError: { type: 'Error', message: 'busy', stage: 'S', attempts: 1 },
      metadata: { source: 'crm' },
      params: { size: 3 },
      trace: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'v=1' },
    },
    onBegin: () => undefined,
    onStatus: () => undefined,
    onProgress: () => undefined,
    ...overrides,
  };
}

const thrownBy = (run: Promise<unknown>): Promise<ReturnType<typeof describeThrown>> =>
  run.then((value) => expect.fail(`the result is ${JSON.stringify(value)}`), describeThrown);

it('the error of a job says what it would say outside a thread', async () => {
  const body = `
    const reason = Object.assign(new AggregateError([Object.assign(new Error('at ::1'), { code: 'ECONNREFUSED' }), 'at 127.0.0.1'], ''), { code: 'ECONNREFUSED' });
    throw Object.assign(new TypeError('fetch failed', { cause: reason }), { status: 503, extra: () => 1 });`;
  expect(await thrownBy(runnerOf().run(job(body), never))).toEqual({
    type: 'ECONNREFUSED',
    message: 'fetch failed: ECONNREFUSED: at ::1; at 127.0.0.1',
    permanent: false,
    retryAfterSeconds: undefined,
    status: 503,
  });
  const endless = 'const error = new Error("a"); error.cause = error; throw error;';
  expect(await thrownBy(runnerOf().run(job(endless), never))).toMatchObject({ type: 'Error', message: 'a' });
});

describe('a job', () => {
  it('runs in another thread and answers with its result', async () => {
    const run = 'const { isMainThread } = await import("node:worker_threads"); return [isMainThread, args, this.own];';
    expect(await runnerOf().run(job(run, ['value', { a: 1 }]), never)).toEqual([false, ['value', { a: 1 }], 'this']);
  });

  it('may be a TypeScript file', async () => {
    expect(await runnerOf().run(job('const n: number = args[0]; return n * 2;', [21], {}, 'ts'), never)).toBe(42);
  });

  it.each([null, undefined, 0, '', false])('may answer %j', async (value) => {
    expect(await runnerOf().run(job('return args[0];', [value]), never)).toBe(value);
  });

  it('sees its context', async () => {
    const run =
      'const { signal, onAbort, logger, setStatus, progress, permanent, retryAfter, ...rest } = ctx; return [rest, signal.aborted];';
    const given = job(run);
    expect(await runnerOf().run(given, never)).toEqual([given.context, false]);
  });

  it('reports status and progress before its result, in their order', async () => {
    const reports: unknown[] = [];
    const given = job(
      `const told = [ctx.setStatus('one', { minIntervalSeconds: 60 }), ctx.setStatus('two', { minIntervalSeconds: 60 })];
       ctx.progress(0.5); ctx.setStatus('three'); return told;`,
      [],
      { onStatus: (text) => reports.push(text), onProgress: (fraction) => reports.push(fraction) },
    );
    expect(await runnerOf().run(given, never)).toEqual([true, false]);
    expect(reports).toEqual(['one', 0.5, 'three']);
  });

  it('logs through the service', async () => {
    const lines: unknown[] = [];
    const log = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message]);
    const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
    const run = `ctx.logger.info({ size: 3 }, 'resized'); ctx.logger.warn({ f() {} }, 'odd fields');`;
    await runnerOf({ maxThreads: 1, logger }).run(job(run), never);
    expect(lines).toEqual([
      ['info', { size: 3 }, 'resized'],
      ['warn', {}, 'odd fields'],
    ]);
  });
});

describe('a job that begins', () => {
  it('says so when its module is loaded, and no sooner', async () => {
    const gate = await createGate();
    const folder = folderWith({ 'slow.mjs': `await fetch('${gate.url}'); export default { run: () => 'ran' };` });
    let begun = 0;
    const given = { ...job(''), module: pathToFileURL(join(folder, 'slow.mjs')).href, onBegin: () => void begun++ };
    const running = runnerOf().run(given, never);
    await gate.arrived(1);
    expect(begun).toBe(0);
    gate.open();
    expect(await running).toBe('ran');
    expect(begun).toBe(1);
  });

  it('waits for its thread as long as others have all of them', async () => {
    const runner = runnerOf({ maxThreads: 1 });
    const order: string[] = [];
    const named = (name: string): ThreadJob => job('return args[0];', [name], { onBegin: () => void order.push(`${name} begins`) });
    await Promise.all(['a', 'b', 'c'].map((name) => runner.run(named(name), never).then((done) => order.push(`${done} ends`))));
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect(runner.size).toBe(1);
  });

  it.each([
    ['waits for ever', 'await new Promise(() => setInterval(() => undefined, 1000));'],
    ['spins', 'for (;;);'],
  ])('fails when its module %s while it is loaded, and the next one has a thread', async (_what, text) => {
    const runner = runnerOf({ maxThreads: 1, startMs: 300 });
    const folder = folderWith({ 'stuck.mjs': `${text} export default { run: () => 1 };` });
    const stuck = { ...job(''), module: pathToFileURL(join(folder, 'stuck.mjs')).href, onBegin: () => expect.fail('it began') };
    expect(await thrownBy(runner.run(stuck, never))).toMatchObject({
      type: 'ThreadStart',
      message: 'the module of the task did not load within 0.3 s',
      permanent: false,
    });
    const patient = runnerOf({ maxThreads: 1 });
    expect(await patient.run(job('return 2;'), never)).toBe(2);
  });
});

describe('a job that throws', () => {
  it.each([
    ['an error of its own', 'throw new RangeError("too big")', { type: 'RangeError', message: 'too big', permanent: false }],
    ['ctx.permanent', 'throw ctx.permanent("no such user")', { type: 'PermanentError', message: 'no such user', permanent: true }],
    ['ctx.retryAfter', 'throw ctx.retryAfter(30)', { type: 'RetryAfterError', retryAfterSeconds: 30, permanent: false }],
    ['an error that says permanent', 'throw Object.assign(new Error("x"), { permanent: true })', { type: 'Error', permanent: true }],
    ['a text', 'throw "broken"', { type: 'NonError', message: 'broken' }],
    ['null', 'throw null', { type: 'NonError', message: 'null' }],
    ['a value that has no JSON', 'const a = {}; a.a = a; throw a', { permanent: false }],
  ])('hands on %s', async (_, run, expected) => {
    expect(await thrownBy(runnerOf().run(job(run), never))).toMatchObject(expected);
  });

  it('fails for good when its value cannot be sent to a thread', async () => {
    expect(await thrownBy(runnerOf().run(job('return 1;', [() => 1]), never))).toMatchObject({
      permanent: true,
      message: expect.stringContaining('cannot be sent to a thread'),
    });
  });

  it('fails for good when its result cannot leave its thread, which stays usable', async () => {
    const runner = runnerOf();
    expect(await thrownBy(runner.run(job('return () => 1;'), never))).toMatchObject({
      type: 'PermanentError',
      permanent: true,
      message: expect.stringContaining('the result cannot be sent from its thread'),
    });
    expect(await runner.run(job('return 1;'), never)).toBe(1);
  });

  it('fails when its module is gone', async () => {
    const given = { ...job(''), module: 'file:///nowhere/task.mjs' };
    expect((await thrownBy(runnerOf().run(given, never))).message).toContain('/nowhere/task.mjs');
  });

  it('fails alone when it ends its thread', async () => {
    const runner = runnerOf();
    expect((await thrownBy(runner.run(job('process.exit(1);'), never))).permanent).toBe(false);
    expect(await runner.run(job('return 1;'), never)).toBe(1);
  });
});

describe('aborting', () => {
  /** Counts in shared memory for ever, having said that it began. */
  const busyLoop = (counter: Int32Array, onStatus: () => void): ThreadJob =>
    job('ctx.setStatus("looping"); for (;;) Atomics.add(args[0], 0, 1);', [counter], { onStatus });

  it('really ends a busy loop, and the next job has its place', async () => {
    const runner = runnerOf({ maxThreads: 1 });
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const abort = new AbortController();
    const looping = expect(
      runner.run(
        busyLoop(counter, () => undefined),
        abort.signal,
      ),
    ).rejects.toThrow('timed out');
    while (Atomics.load(counter, 0) < 1000) await new Promise(setImmediate);
    const ended = runner.run(job('return 1;'), never);
    abort.abort(new Error('timed out'));
    expect(await ended).toBe(1);
    await looping;

    // A loop that goes on counts some hundred thousands while a job spins for 20 ms; one that ended counts nothing.
    const spin = job('const end = performance.now() + 20; while (performance.now() < end);');
    let before: number;
    do {
      before = Atomics.load(counter, 0);
      await runner.run(spin, never);
    } while (Atomics.load(counter, 0) !== before);
  });

  it("rejects with the signal's reason", async () => {
    const runner = runnerOf();
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const abort = new AbortController();
    const reason = new Error('cancelled');
    const run = runner.run(
      busyLoop(counter, () => abort.abort(reason)),
      abort.signal,
    );
    await expect(run).rejects.toBe(reason);
  });

  it('takes a job back that waits for a thread', async () => {
    const runner = runnerOf({ maxThreads: 1 });
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const [first, second] = [new AbortController(), new AbortController()];
    let begun = (): void => undefined;
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const firstRun = runner.run(busyLoop(counter, begun), first.signal);
    await running;
    const secondRun = runner.run(job('return 1;'), second.signal);
    second.abort(new Error('second'));
    await expect(secondRun).rejects.toThrow('second');
    first.abort(new Error('first'));
    await expect(firstRun).rejects.toThrow('first');
  });

  it('starts nothing when the signal has aborted already', async () => {
    await expect(runnerOf().run(job('return 1;'), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  });
});

describe('closing', () => {
  it('ends what runs and refuses what comes', async () => {
    const runner = runnerOf();
    let begun = (): void => undefined;
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const run = runner.run(job('ctx.setStatus("begun"); await new Promise(() => {});', [], { onStatus: begun }), never);
    const ended = expect(run).rejects.toThrow();
    await running;
    await runner.close();
    await ended;
    await expect(runner.run(job('return 1;'), never)).rejects.toThrow('the thread pool is closed');
  });

  it('does nothing to a pool that never had a job', async () => {
    const runner = runnerOf();
    await runner.close();
    await runner.close();
  });
});
