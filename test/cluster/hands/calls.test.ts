/** Calls over real sockets, in one process: what goes there and back, aborts, and large results. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../../src/engine/index.ts';
import { createGate, give, startHand, startOwner } from './harness.ts';
import { rawHand } from './raw-ends.ts';

const connected = 'a hand has connected';
const gone = 'a hand has gone';

describe('a call', () => {
  it('gives the value, with status, progress and lines of the log on the way', async () => {
    const owner = await startOwner({ tasks: ['work'] });
    startHand(owner.url, {
      work: (value: unknown, context: TaskContext) => {
        context.setStatus('half way');
        context.progress(0.5);
        context.logger.info({ step: 1, err: new TypeError('odd') }, 'at work');
        return { value, params: context.params, item: context.itemId };
      },
    });
    const call = give(owner.pool, 'work', [1, 'ä'], { given: { rate: 2 } });
    expect(await call.result).toEqual({ value: [1, 'ä'], params: { rate: 2 }, item: 'i' });
    expect([call.begins, call.statuses, call.progress]).toEqual([1, ['half way'], [0.5]]);
    const [line] = await owner.log.seen('at work');
    expect(line).toMatchObject({ level: 'info', step: 1, hand: 'h', err: { type: 'TypeError', message: 'odd' } });
  });

  it('gives nothing where the handler gives nothing', async () => {
    const owner = await startOwner({ tasks: ['nothing'] });
    startHand(owner.url, { nothing: () => undefined });
    expect(await give(owner.pool, 'nothing').result).toBe(undefined);
  });

  it('fails with the error of its handler, and what that says of how to go on', async () => {
    const owner = await startOwner({ tasks: ['fail', 'later', 'odd'] });
    startHand(owner.url, {
      fail: (_value, context: TaskContext) => {
        throw context.permanent('no such user');
      },
      later: (_value, context: TaskContext) =>
        Promise.reject(Object.assign(context.retryAfter(30), { status: 429, cause: new Error('busy') })),
      odd: () => {
        throw 'text';
      },
    });
    const fault = (name: string): Promise<unknown> => give(owner.pool, name).result.catch((error: unknown) => error);
    expect(await fault('fail')).toMatchObject({ name: 'PermanentError', message: 'no such user', permanent: true });
    expect(await fault('later')).toMatchObject({ retryAfterSeconds: 30, status: 429, cause: { message: 'busy' } });
    expect(await fault('odd')).toMatchObject({ name: 'NonError', message: 'text' });
  });

  it.each([
    ['a function', () => ({ a: () => 1 }), "the stage's result is not JSON: /a is a function"],
    ['a number that is none', () => [Number.NaN], 'is not JSON: /0 is NaN'],
    ['a big integer', () => 1n, 'is not JSON: it is a bigint'],
  ])('fails for good when its result is %s', async (_what, odd, message) => {
    const owner = await startOwner({ tasks: ['odd'] });
    startHand(owner.url, { odd });
    await expect(give(owner.pool, 'odd').result).rejects.toMatchObject({
      name: 'ValueNotJsonError',
      permanent: true,
      message: expect.stringContaining(message),
    });
  });

  it('reaches predicates, and hooks with the error that they are told of', async () => {
    const tasks = [
      { name: 'big', kind: 'predicate' as const, hash: 'h' },
      { name: 'tell', kind: 'hook' as const, hash: 'h' },
    ];
    const owner = await startOwner({ tasks });
    const told: unknown[] = [];
    startHand(owner.url, {
      big: { kind: 'predicate', run: (value: number, info) => value > info.params.min && info.itemId === 'i' },
      tell: { kind: 'hook', run: (...args) => void told.push(args) },
    });
    const predicate = { kind: 'predicate' as const, given: { min: 3 }, context: { itemId: 'i', sequenceId: 1, metadata: {} } };
    expect(await give(owner.pool, 'big', 4, predicate).result).toBe(true);
    expect(await give(owner.pool, 'big', 2, predicate).result).toBe(false);
    const context = { sequenceId: 1, feedId: 'f', stage: 's', attempts: 1, metadata: {}, pipeline: 'p', trace: null };
    const thrown = Object.assign(new RangeError('too far'), { status: 404 });
    await give(owner.pool, 'tell', undefined, { kind: 'hook', args: ['i', thrown], context }).result;
    const [[id, error, info, use]] = told as [[string, Error, object, object]];
    expect([id, error]).toMatchObject(['i', { name: 'RangeError', message: 'too far', status: 404 }]);
    expect(error).toBeInstanceOf(Error);
    expect(info).toEqual({ sequenceId: 1, feedId: 'f', stage: 's', attempts: 1, metadata: {} });
    expect(use).toMatchObject({ pipeline: 'p', trace: null });
  });

  it('goes to the hand with the fewest for its capacity, and waits in order when none is free', async () => {
    const owner = await startOwner({ tasks: ['hold'] });
    const gate = createGate();
    const order: unknown[] = [];
    const hold = async (value: unknown): Promise<void> => {
      order.push(value);
      await gate.pass();
    };
    startHand(owner.url, { hold }, { name: 'small', capacity: 1 });
    startHand(owner.url, { hold }, { name: 'large', capacity: 3 });
    await owner.log.seen(connected, 2);
    const calls = [1, 2, 3, 4, 5, 6].map((value) => give(owner.pool, 'hold', value));
    await gate.arrived(4);
    expect(owner.pool.view()).toMatchObject({
      hands: expect.arrayContaining([
        expect.objectContaining({ name: 'small', running: 1 }),
        expect.objectContaining({ name: 'large', running: 3 }),
      ]),
      waiting: [{ task: 'hold', kind: 'task', calls: 2, why: 'the hands that have it are busy' }],
    });
    gate.open();
    await Promise.all(calls.map(({ result }) => result));
    expect(order.slice(4)).toEqual([5, 6]);
  });
});

describe('an abort', () => {
  it('rejects at once, reaches the handler with its reason, and frees the place when that has ended', async () => {
    const owner = await startOwner({ tasks: ['hold'] });
    const reasons: unknown[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    startHand(
      owner.url,
      {
        hold: (value, context: TaskContext) =>
          value === 'next'
            ? 'went'
            : new Promise((_resolve, reject) =>
                context.onAbort((reason) => {
                  reasons.push(reason);
                  void promise.then(() => reject(reason));
                }),
              ),
      },
      { capacity: 1 },
    );
    const call = give(owner.pool, 'hold');
    await call.begun;
    call.abort(Object.assign(new Error('took longer'), { name: 'TaskTimeoutError' }));
    await expect(call.result).rejects.toThrow('took longer');
    const next = give(owner.pool, 'hold', 'next');
    expect(owner.pool.view()).toMatchObject({ hands: [{ running: 1 }], waiting: [{ calls: 1 }] });
    resolve();
    expect(await next.result).toBe('went');
    expect(reasons).toMatchObject([{ name: 'TaskTimeoutError', message: 'took longer' }]);
  });

  it('that crosses the result changes nothing, and leaves nothing behind', async () => {
    const owner = await startOwner({ tasks: ['echo'] });
    const hand = await rawHand(owner.url);
    const call = give(owner.pool, 'echo', 1);
    const job = await hand.next('job');
    call.abort();
    // Sent before the abort has come.
    hand.say({ t: 'value', id: job.id, value: 1 });
    await expect(call.result).rejects.toThrow('stop');
    await hand.next('abort');
    hand.say({ t: 'aborted', id: job.id }, { t: 'error', id: job.id, error: { name: 'E', message: 'm', permanent: false, told: {} } });
    const next = give(owner.pool, 'echo', 2);
    hand.say({ t: 'value', id: (await hand.next('job')).id, value: 2 });
    expect(await next.result).toBe(2);
    expect(owner.pool.view()).toMatchObject({ hands: [{ running: 0 }], waiting: [] });
  });

  it('that comes after the result has been sent finds nothing at the hand', async () => {
    const owner = await startOwner({ tasks: ['echo', 'hold'] });
    const { hand } = startHand(owner.url, { echo: (value) => value, hold: () => new Promise(() => undefined) });
    await give(owner.pool, 'echo', 1).result;
    const call = give(owner.pool, 'hold');
    await call.begun;
    expect(hand.running).toBe(1);
    call.abort();
    expect(await give(owner.pool, 'echo', 3).result).toBe(3);
  });
});

describe('a large result', () => {
  it('of 20 MB arrives, while beats and other calls pass', async () => {
    const owner = await startOwner({ tasks: ['large', 'echo'], beatMs: 20, maxValueBytes: 32 * 1024 * 1024 });
    const text = 'äb'.repeat(7_000_000);
    startHand(owner.url, { large: () => ({ text }), echo: (value) => value });
    await owner.log.seen(connected);
    const large = give(owner.pool, 'large');
    const small = Array.from({ length: 20 }, (_, i) => give(owner.pool, 'echo', i));
    expect(await Promise.all(small.map(({ result }) => result))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect((await large.result) as object).toEqual({ text });
    expect(owner.pool.view().hands).toHaveLength(1);
  });

  it('beyond the bound fails the call, in words, and the connection lives', async () => {
    const owner = await startOwner({ tasks: ['large', 'echo'], maxValueBytes: 1_000_000 });
    startHand(owner.url, { large: (length: number) => 'x'.repeat(length), echo: (value) => value });
    await expect(give(owner.pool, 'large', 1_000_000).result).rejects.toMatchObject({
      name: 'ValueTooLarge',
      permanent: true,
      message: "the stage's result is larger than 1000000 bytes as JSON (MAX_VALUE_BYTES)",
    });
    expect(await give(owner.pool, 'large', 999_998).result).toHaveLength(999_998);
    expect(await give(owner.pool, 'echo', 1).result).toBe(1);
    expect(owner.log.lines.filter(({ text }) => text === gone)).toEqual([]);
  });

  it('beyond the bound from a hand that does not ask ends its connection', async () => {
    const owner = await startOwner({ tasks: ['echo'], maxValueBytes: 1000 });
    const bad = await rawHand(owner.url);
    for (let i = 0; i < 20; i++) bad.socket.send(Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), Buffer.alloc(65_536)]));
    const [code] = await once(bad.socket, 'close');
    expect(code).toBe(1009);
  });

  it('as a value that a hand is given arrives as well, and is taken back when it is aborted on its way', async () => {
    const owner = await startOwner({ tasks: ['size'] });
    let calls = 0;
    startHand(owner.url, {
      size: (value: string) => {
        calls++;
        return value.length;
      },
    });
    await owner.log.seen(connected);
    const text = 'x'.repeat(20_000_000);
    const aborted = give(owner.pool, 'size', text);
    aborted.abort();
    await expect(aborted.result).rejects.toThrow('stop');
    expect(owner.pool.view()).toMatchObject({ hands: [{ running: 0 }] });
    expect(await give(owner.pool, 'size', text).result).toBe(20_000_000);
    expect(calls).toBe(1);
  });
});
