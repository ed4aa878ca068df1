/** An attempt at a hand: what it is told, when its time begins, and what becomes of it. */
import { describe, expect, it } from 'vitest';
import { PermanentError, type PipelineRuntime, RetryAfterError } from '../../../src/engine/index.ts';
import { declared, handWorld, turns } from './world.ts';

const X = [{ id: 'x', value: { n: 1 }, tenant: 't' }];
const shown = async (p: PipelineRuntime, id = 'x') => {
  const { status, error, waitingFor, attempts } = await p.item(id);
  return { status, type: error?.type ?? null, waits: waitingFor?.reason ?? null, attempts };
};
const taskEvents = (p: PipelineRuntime): unknown[] =>
  p.events
    .read(0, 100, { types: new Set(['task']) })
    .events.map(({ data }) => 'eventType' in data && [data.eventType, data.attempt, data.durationSeconds]);

describe('a call at a hand', () => {
  it('is told all that the task is told, as JSON', async () => {
    const { pipeline, hands } = handWorld();
    const p = await pipeline({ tasks: [{ task: 'work', with: { a: 1 } }] });
    await p.feed(X, {});
    await turns();
    const { use, args, context } = hands.last('work').job;
    expect(use).toEqual({ kind: 'task', name: 'work', given: { a: 1 }, hasSecrets: false });
    expect(args).toEqual([{ n: 1 }]);
    const { sequenceId, ...named } = context;
    expect(named).toEqual({
      itemId: 'x',
      pipeline: 'p',
      stage: 'A',
      task: 'work',
      worker: 'A-W0',
      attempt: 1,
      lastError: null,
      metadata: { tenant: 't' },
      trace: null,
    });
    expect(sequenceId).toEqual(expect.any(Number));
    expect(JSON.parse(JSON.stringify(hands.last('work').job.context))).toEqual(context);
  });

  it('has an array spread with unpackArgs', async () => {
    const { pipeline, hands } = handWorld();
    const p = await pipeline({ unpackArgs: true });
    await p.feed([{ id: 'list', value: [1, 'two'] }], {});
    await turns();
    expect(hands.last('work').job.args).toEqual([1, 'two']);
  });

  it('gets its parameters rendered here, unparsed, and is told that they hold a secret', async () => {
    const parseParams = (given: unknown): unknown => {
      if (JSON.stringify(given ?? {}).includes('7')) throw new Error('seven is not allowed');
      return given;
    };
    const { pipeline, hands } = handWorld((here) => [declared('task', 'call', here, { parseParams })]);
    const p = await pipeline({ tasks: [{ task: 'call', with: { to: '{{ value.n }}', key: 'k-{{ secrets.KEY }}' } }] });
    await p.feed([{ id: 'x', value: { n: 7 } }], {});
    await turns();
    expect(hands.last('call').job.use).toEqual({ kind: 'task', name: 'call', given: { to: 7, key: 'k-hush' }, hasSecrets: true });
  });

  it('waits until a hand has it; its time limit and its duration begin then', async () => {
    const { pipeline, hands, clock } = handWorld();
    const p = await pipeline({ taskTimeoutSeconds: 1 });
    await p.feed(X, {});
    await turns();
    clock.advance(60_000);
    await turns();
    expect(await shown(p)).toEqual({ status: 'in_progress', type: null, waits: 'hand', attempts: 1 });
    expect((await p.stats()).bottleneck).toBeNull();
    hands.last('work').job.onBegin();
    expect(await shown(p)).toMatchObject({ waits: null });
    clock.advance(900);
    hands.last('work').end('done');
    await turns();
    expect(await shown(p)).toMatchObject({ status: 'completed' });
    expect(taskEvents(p)).toEqual([
      ['start', 1, null],
      ['complete', 1, 0.9],
    ]);
  });

  it('is what holds a stage up, when its workers wait for hands', async () => {
    const { pipeline } = handWorld();
    const p = await pipeline({ workers: 2, runOn: 'hands' });
    await p.feed([1, 2, 3], {});
    await turns();
    expect((await p.stats()).bottleneck).toMatchObject({ stage: 'A', reason: 'hand', task: 'work', workersWaiting: 2 });
  });

  it('tells its status and its progress', async () => {
    const { pipeline, hands } = handWorld();
    const p = await pipeline({});
    await p.feed(X, {});
    await turns();
    const { job } = hands.last('work');
    job.onBegin();
    job.onStatus('half of hush');
    job.onProgress(0.5);
    expect((await p.workerStates())['A-W0']).toMatchObject({ taskStatus: 'half of [secret KEY]' });
    const { events } = p.events.read(0, 100, { types: new Set(['task']) });
    expect(events.map(({ data }) => data)).toMatchObject([
      { eventType: 'start' },
      { taskStatus: 'half of [secret KEY]' },
      { fraction: 0.5 },
    ]);
  });
});

describe('a hand that is lost', () => {
  it('costs no attempt: the item waits again, and its time begins anew', async () => {
    const { pipeline, hands, clock } = handWorld();
    const p = await pipeline({ taskTimeoutSeconds: 1 });
    await p.feed(X, {});
    await turns();
    const { job } = hands.last('work');
    for (let lost = 0; lost < 3; lost++) {
      job.onBegin();
      clock.advance(900);
      job.onWait();
      expect(await shown(p)).toEqual({ status: 'in_progress', type: null, waits: 'hand', attempts: 1 });
      clock.advance(5000);
      await turns();
    }
    job.onBegin();
    clock.advance(500);
    hands.last('work').end('done');
    await turns();
    expect(await shown(p)).toEqual({ status: 'completed', type: null, waits: null, attempts: 1 });
    expect(taskEvents(p)).toEqual([
      ['start', 1, null],
      ['complete', 1, 0.5],
    ]);
    // Whatever a hand has run counts as work, and what it waited does not.
    const [metrics] = Object.values(await p.workerMetrics());
    expect(metrics?.totalProcessingTimeSeconds).toBeCloseTo(3.2, 5);
  });

  it('fails the item for good when it was lost too often with it', async () => {
    const { pipeline, hands } = handWorld();
    const p = await pipeline({ taskAttempts: 5 });
    await p.feed(X, {});
    await turns();
    hands.last('work').fail(Object.assign(new PermanentError('5 hands that ran it were lost'), { name: 'PoisonItem' }));
    await turns();
    expect(await shown(p)).toEqual({ status: 'failed', type: 'PoisonItem', waits: null, attempts: 1 });
  });
});

describe('what comes back from a hand', () => {
  it.each([
    ['an error', Object.assign(new TypeError('odd'), { status: 418 }), { type: 'TypeError', message: 'odd', status: 418 }, 2],
    ['one that is permanent', new PermanentError('never'), { type: 'PermanentError', message: 'never' }, 1],
    ['one with a secret', new Error('for hush'), { type: 'Error', message: 'for [secret KEY]' }, 2],
  ])('%s is the attempt’s, as if it had been thrown here', async (_what, error, told, attempts) => {
    const { pipeline, hands, clock } = handWorld();
    const p = await pipeline({ taskAttempts: 2, taskWaitSeconds: 1 });
    await p.feed(X, {});
    for (let i = 0; i < attempts; i++) {
      await turns();
      hands.last('work').job.onBegin();
      hands.last('work').fail(error);
      await turns();
      clock.advance(1000);
    }
    await turns();
    expect(await p.item('x')).toMatchObject({ status: 'failed', attempts, error: told });
    expect(hands.calls.map(({ job }) => job.context.attempt)).toEqual(Array.from({ length: attempts }, (_, i) => i + 1));
  });

  it('a wait that it asks for is kept', async () => {
    const { pipeline, hands, clock } = handWorld();
    const p = await pipeline({ taskAttempts: 2, taskWaitSeconds: 1 });
    await p.feed(X, {});
    await turns();
    hands.last('work').fail(new RetryAfterError(30));
    await turns();
    clock.advance(29_999);
    await turns();
    expect([(await shown(p)).status, hands.calls.length]).toEqual(['retrying', 1]);
    clock.advance(1);
    await turns();
    expect(hands.calls).toHaveLength(2);
  });

  it('is nothing any more after a cancel, a time-out or a forced stop, which abort it', async () => {
    for (const how of ['cancel', 'timeout', 'stop'] as const) {
      const { pipeline, hands, clock } = handWorld();
      const p = await pipeline({ taskTimeoutSeconds: 1 });
      await p.feed(X, {});
      await turns();
      const { job, signal, end } = hands.last('work');
      job.onBegin();
      if (how === 'cancel') await p.cancelItem('x');
      else if (how === 'stop') await p.shutdown('force');
      else clock.advance(1000);
      await turns();
      expect([signal.aborted, (signal.reason as Error).name]).toEqual([true, how === 'timeout' ? 'TaskTimeoutError' : 'AbortedError']);
      job.onWait();
      job.onBegin();
      job.onStatus('late');
      end('late');
      await turns();
      const status = { cancel: 'cancelled', timeout: 'failed', stop: 'queued' }[how];
      expect(await p.item('x')).toMatchObject({ status, value: { n: 1 } });
    }
  });
});

describe('the shutdown of the host', () => {
  it('lets go of the hands', async () => {
    const { host, hands } = handWorld();
    await host.shutdown('graceful', 1);
    expect(hands.isClosed).toBe(true);
  });
});
