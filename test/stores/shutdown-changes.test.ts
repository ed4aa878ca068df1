/** While a process ends, nothing is answered with success that its next start would not know: whatever changes something is refused. */
import { describe, expect, it } from 'vitest';
import type { LocalHost, PipelineRuntime } from '../../src/engine/index.ts';
import { named } from '../conformance/world.ts';
import { livesOf } from './durable-host.ts';

type Change = (host: LocalHost, p: PipelineRuntime) => Promise<unknown>;

const stages = ['A', 'B'].map((name) => ({ name, tasks: ['hold'] }));

/** Every operation of a host and of a pipeline that changes something. */
const changes: Record<string, Change> = {
  create: (host) => host.create({ id: 'new', stages }),
  put: (host) => host.put('p', { stages: stages.slice(0, 1) }),
  'put of a new one': (host) => host.put('new', { stages }),
  remove: (host) => host.remove('p', 'force'),
  'remove of an idle one': (host) => host.remove('idle'),
  'change of a limiter': (host) => host.limiters.change('shared', { concurrency: 3 }),
  start: (_, p) => p.start(),
  'start of another one': (host) => host.get('idle').start(),
  pause: (_, p) => p.pause(),
  resume: (_, p) => p.resume(),
  join: (_, p) => p.join(0),
  shutdown: (_, p) => p.shutdown('graceful', 1),
  pauseStage: (_, p) => p.pauseStage('A'),
  resumeStage: (_, p) => p.resumeStage('B'),
  tune: (_, p) => p.tune('A', { workers: 7 }),
  untune: (_, p) => p.untune('B'),
  feed: (_, p) => p.feed(named('new'), {}),
  openFeed: (_, p) => p.openFeed({}),
  run: (_, p) => p.run(named('new'), {}),
  openRun: (_, p) => p.openRun({}, named('new')),
  retryItem: (_, p) => p.retryItem('bad'),
  retryFailed: (_, p) => p.retryFailed({}),
  retryFeed: (_, p) => p.retryFeed('f'),
};

describe.each(['graceful', 'drain'] as const)('during a %s shutdown', (mode) => {
  it('every change is refused, and the next start is in the state from before', async () => {
    const begun = Promise.withResolvers<unknown>();
    let held = Promise.withResolvers<unknown>();
    const lives = livesOf({
      hold: (value: unknown) => {
        if (value === 'bad') throw Object.assign(new Error('bad'), { permanent: true });
        begun.resolve(value);
        return held.promise.then(() => value);
      },
    });
    let life = await lives.begin();
    life.host.limiters.define('shared', { concurrency: 2 });
    await life.host.create({ id: 'p', stages });
    await life.host.create({ id: 'idle', stages }, { start: false });
    const before = life.host.get('p');
    await before.tune('B', { workers: 3 });
    await before.pauseStage('B');
    await before.feed(named('bad', 'a', 'b', 'c'), { feedId: 'f' });
    await begun.promise;
    const shown = async (host: LocalHost) => {
      const { state, pausedStages, overrides, definition } = await host.get('p').describe();
      const { rows } = await host.get('p').items({ after: 0, limit: 10 });
      return { state, pausedStages, overrides, definition, items: rows.map(({ id, error }) => ({ id, error: error?.message })) };
    };
    const asked = await shown(life.host);
    const ending = life.host.shutdown(mode, 30);
    for (const [name, change] of Object.entries(changes)) {
      await expect(async () => change(life.host, before), name).rejects.toMatchObject({ code: 'shutting-down', retryAfterSeconds: 5 });
    }
    // Reads are answered.
    expect((await before.item('a')).status).toBe('in_progress');
    held.resolve(null);
    const { finished } = await ending;
    expect(finished).toBe(mode === 'drain' ? 3 : 0);
    held = Promise.withResolvers();
    await life.stop();
    life = await lives.begin();
    expect(await shown(life.host)).toEqual(asked);
    expect((await life.host.list()).map(({ definition }) => definition.id)).toEqual(['p', 'idle']);
    held.resolve(null);
  });
});

it('what is cancelled during a shutdown stays cancelled after it', async () => {
  const held = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<unknown>();
  const lives = livesOf({
    hold: (value: unknown) => {
      begun.resolve(value);
      return held.promise;
    },
  });
  let life = await lives.begin();
  await life.host.create({ id: 'p', stages });
  const p = life.host.get('p');
  await p.feed(named('a', 'b'), {});
  await p.feed(named('c', 'd'), { feedId: 'f' });
  await begun.promise;
  const ending = life.host.shutdown('graceful', 30);
  expect(await p.cancelItem('b')).toMatchObject({ status: 'cancelled' });
  expect(await p.cancelFeed('f')).toBe(2);
  expect(await p.cancelItem('a')).toMatchObject({ status: 'cancelled' });
  await ending;
  await life.stop();
  life = await lives.begin();
  const { rows } = await life.host.get('p').items({ after: 0, limit: 10 });
  expect(rows.map(({ id, status }) => [id, status])).toEqual(['a', 'b', 'c', 'd'].map((id) => [id, 'cancelled']));
  held.resolve(null);
});
