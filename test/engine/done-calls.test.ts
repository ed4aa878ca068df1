/** When the hook `onDone` is called: how many at a time, for how long, and what a shutdown does. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, type Hook, type LocalHost } from '../../src/engine/index.ts';
import { noSecrets } from '../../src/engine/ports.ts';
import { expressionLanguage } from '../../tasks/index.ts';
import { HOST, registryOf } from '../stores/durable-host.ts';
import { collectingLogger, createGate, type LogLine, virtualPipeline } from './harness.ts';
import { countedIds, seededRandom, turn, VirtualClock } from './virtual-clock.ts';

const pass = (value: unknown): unknown => value;
const STAGES = [{ name: 'A', tasks: [pass] }];

/** A hook whose calls last until the test ends them. */
function held() {
  const calls = new Map<string, () => void>();
  const order: string[] = [];
  const hook: Hook = (id) => {
    order.push(id);
    return new Promise<void>((resolve) => calls.set(id, resolve));
  };
  const end = (id: string): void => {
    calls.get(id)?.();
    calls.delete(id);
  };
  return { hook, order, end };
}

describe('the calls of onDone', () => {
  it('are 16 at a time, in the order in which the feeds were done', async () => {
    const { hook, order, end } = held();
    const { pipeline } = virtualPipeline(STAGES, { onDone: hook });
    await pipeline.start();
    const ids = Array.from({ length: 20 }, (_, i) => `f${i}`);
    for (const feedId of ids) await pipeline.feed([1], { feedId });
    await turn();
    expect(order).toEqual(ids.slice(0, 16));
    end('f3');
    end('f9');
    await turn();
    expect(order).toEqual(ids.slice(0, 18));
    for (const id of ids) end(id);
    await turn();
    expect(order).toEqual(ids);
  });

  it('that take longer than the limit are given up, and logged', async () => {
    const { hook, order } = held();
    const { pipeline, clock, logs } = virtualPipeline(STAGES, { onDone: hook, hookTimeoutSeconds: 7 });
    await pipeline.start();
    for (let i = 0; i < 17; i++) await pipeline.feed([1], { feedId: `f${i}` });
    await clock.advance(6_999);
    expect([order.length, logs]).toEqual([16, []]);
    await clock.advance(1);
    expect(order).toHaveLength(17);
    expect(logs).toHaveLength(16);
    expect(logs[0]).toEqual({
      level: 'warn',
      message: 'the hook onDone threw; the feed is not affected',
      fields: { pipeline: 'pipeline', feed: 'f0', error: expect.objectContaining({ message: 'took longer than 7 s' }) },
    });
    await clock.advance(7_000);
    expect([order.length, logs.length, clock.pending]).toEqual([17, 17, 0]);
  });

  it('that return after they were given up do not end the next one', async () => {
    const ends: (() => void)[] = [];
    let isBroken = true;
    const mended = (value: unknown): unknown => {
      if (isBroken) throw Object.assign(new Error('no'), { permanent: true });
      return value;
    };
    const onDone: Hook = () => new Promise<void>((resolve) => ends.push(resolve));
    const { pipeline, clock, logs } = virtualPipeline([{ name: 'A', tasks: [mended] }], { onDone, hookTimeoutSeconds: 7 });
    await pipeline.start();
    await pipeline.feed([{ id: 'x' }], { feedId: 'f' });
    await clock.advance(7_000);
    isBroken = false;
    await pipeline.runtime.retryItem('x');
    await turn();
    expect([ends.length, logs.length]).toEqual([2, 1]);
    ends[0]?.();
    await turn();
    const feed = pipeline.runtime.core.feeds.find('f');
    expect(feed?.isOwed).toBe(true);
    ends[1]?.();
    await turn();
    expect(feed?.isOwed).toBe(false);
  });

  it('follow each other for one feed, which is told as it is when it is called', async () => {
    const { hook, order, end } = held();
    const told: unknown[] = [];
    let isBroken = true;
    const mended = (value: unknown): unknown => {
      if (isBroken) throw Object.assign(new Error('no'), { permanent: true });
      return value;
    };
    const onDone: Hook = (id, view, info) => {
      const { completed, failed } = view as { completed: number; failed: number };
      told.push([id, completed, failed]);
      return hook(id, view, info);
    };
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [mended] }], { onDone });
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }, { id: 'b' }], { feedId: 'f' });
    await turn();
    isBroken = false;
    await pipeline.runtime.retryItem('a');
    await turn();
    await pipeline.runtime.retryItem('b');
    await turn();
    // The first call lasts: the next one tells of both.
    expect(told).toEqual([['f', 0, 2]]);
    end('f');
    await turn();
    expect(told).toEqual([
      ['f', 0, 2],
      ['f', 2, 0],
    ]);
    end('f');
    await turn();
    expect(order).toHaveLength(2);
  });

  it('are left out for a feed that has gone on before its turn, and come when it is done again', async () => {
    const { hook, order, end } = held();
    const gate = createGate();
    let isBroken = true;
    const mended = (value: unknown, ctx: Parameters<typeof gate.task>[1]): unknown => {
      if (!isBroken) return gate.task(value, ctx);
      throw Object.assign(new Error('no'), { permanent: true });
    };
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [mended] }], { onDone: hook });
    await pipeline.start();
    for (let i = 0; i < 16; i++) await pipeline.feed([], { feedId: `f${i}` });
    await pipeline.feed([{ id: 'x' }], { feedId: 'late' });
    await turn();
    isBroken = false;
    await pipeline.runtime.retryItem('x');
    for (let i = 0; i < 16; i++) end(`f${i}`);
    await turn();
    expect(order).not.toContain('late');
    gate.open('x');
    await turn();
    expect(order.filter((id) => id === 'late')).toHaveLength(1);
  });

  it('are waited for by a graceful shutdown and by one that drains, not by a forced one nor beyond a time limit', async () => {
    const modes = [
      ['graceful', undefined, false],
      ['drain', undefined, false],
      ['force', undefined, true],
      ['graceful', 3, true],
    ] as const;
    for (const [mode, timeout, endsBefore] of modes) {
      const { hook, end } = held();
      const { pipeline, clock } = virtualPipeline(STAGES, { onDone: hook });
      await pipeline.start();
      await pipeline.feed([1], { feedId: 'f' });
      await turn();
      let isOver = false;
      const ending = pipeline.shutdown(mode, timeout).then((report) => {
        isOver = true;
        return report;
      });
      await clock.advance(3_000);
      expect(isOver, mode).toBe(endsBefore);
      end('f');
      expect(await clock.finish(ending)).toMatchObject({ leftQueued: 0, timedOut: timeout !== undefined });
    }
  });

  it('are made while the pipeline is paused or stopped', async () => {
    const ids: string[] = [];
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [pass] }], { onDone: (id) => void ids.push(id) });
    await pipeline.feed([], { feedId: 'created' });
    await pipeline.start();
    await pipeline.pause();
    await pipeline.feed([1], { feedId: 'paused' });
    await pipeline.runtime.cancelFeed('paused');
    await pipeline.shutdown();
    await pipeline.feed([], { feedId: 'stopped' });
    await turn();
    expect(ids).toEqual(['created', 'paused', 'stopped']);
  });
});

describe('the templates of onDone', () => {
  async function hostWith(hook: (...args: never[]) => unknown): Promise<{ host: LocalHost; logs: LogLine[] }> {
    const logs: LogLine[] = [];
    const host = createLocalHost({
      ...HOST,
      registry: registryOf({ pass }, { hook: hook as Hook }),
      ports: {
        ...{ clock: new VirtualClock(), random: seededRandom(1), uniqueId: countedIds(), logger: collectingLogger(logs) },
        ...{ expressions: expressionLanguage, secrets: { ...noSecrets, values: { KEY: 's3cret' } }, threads: undefined },
      },
    });
    onTestFinished(async () => void (await host.shutdown('force', 1)));
    return { host, logs };
  }

  it('see what the hook is told, and name their secrets in the description of the pipeline', async () => {
    const params: unknown[] = [];
    const { host } = await hostWith((_id: string, _view: unknown, _info: unknown, use: { params: unknown; pipeline: string }) => {
      params.push([use.pipeline, use.params]);
    });
    const text =
      '{{ value.pipeline }}/{{ value.feedId }} {{ value.completed }} of {{ value.total }}: {{ value.results }} {{ secrets.KEY }}';
    const { secrets } = await host.create({
      id: 'p',
      stages: [{ name: 'A', tasks: ['pass'] }],
      onDone: { task: 'hook', with: { text, is: '{{ value.done }}', id: '{{ itemId }}' } },
    });
    expect(secrets).toEqual(['KEY']);
    await host.get('p').feed([1, 2], { feedId: 'f' });
    await turn();
    await turn();
    expect(params).toEqual([['p', { text: 'p/f 2 of 2: /pipelines/p/feeds/f/results s3cret', is: true, id: 'f' }]]);
  });

  it('that find nothing are a failure of the hook', async () => {
    const { host, logs } = await hostWith(() => {
      throw new Error('it is not called');
    });
    await host.create({
      id: 'p',
      stages: [{ name: 'A', tasks: ['pass'] }],
      onDone: { task: 'hook', with: { text: '{{ value.nothing }}' } },
    });
    await host.get('p').feed([], { feedId: 'f' });
    await turn();
    await turn();
    expect(logs.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
      { pipeline: 'p', feed: 'f', error: expect.objectContaining({ message: expect.stringContaining('evaluates to nothing') }) },
    ]);
  });

  it('count towards what checking a definition may cost', async () => {
    const { host } = await hostWith(() => undefined);
    const many = Object.fromEntries(Array.from({ length: 1_200 }, (_, i) => [`m${i}`, `{{ value.a${i} }}`]));
    const costly = { id: 'p', stages: [{ name: 'A', tasks: ['pass'] }], onDone: { task: 'hook', with: many } };
    await expect(host.create(costly)).rejects.toMatchObject({ code: 'invalid-pipeline', errors: [{ path: '/stages' }] });
  });
});
