/** What operators did is kept with the other events, and reaches readers although the pipeline goes. */
import { describe, expect, it } from 'vitest';
import type { EventSource, Operator, SluiceEvent } from '../../src/engine/index.ts';
import { livesOf } from './durable-host.ts';

const pass = (value: unknown): unknown => value;
const night: Operator = { by: 'night' };
const PIPELINE = { types: new Set(['pipeline' as const]) };
const eventsOf = (events: EventSource): SluiceEvent[] => events.read(0, 1000, PIPELINE).events;

describe.each(['crash', 'stop'] as const)('after a %s', (how) => {
  it('the events of operators are there as they were, with who did what', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['pass'] }] }, { operator: night });
    const p = life.host.get('p');
    await p.tune('S', { workers: 3 }, { by: null });
    await p.pause(night);
    await p.resume();
    const before = eventsOf(p.events);
    expect(before.map(({ data }) => data)).toMatchObject([
      { change: 'created', by: 'night', before: null, after: { stages: [{ name: 'S', workers: 1, tasks: ['pass'] }] } },
      { change: 'started' },
      { change: 'tuned', by: null, before: { workers: 1 }, after: { workers: 3 } },
      { change: 'paused', by: 'night', before: { state: 'running' }, after: { state: 'paused' } },
      { change: 'resumed' },
    ]);
    expect('by' in (before.at(-1) as SluiceEvent).data).toBe(false);
    await life[how]();
    const next = await lives.begin();
    expect(eventsOf(next.host.get('p').events).slice(0, before.length)).toEqual(before);
  });
});

describe('the end of the process', () => {
  it('is named in the events that the next one finds', async () => {
    const lives = livesOf({ pass });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['pass'] }] });
    await life.host.shutdown('graceful', 5, { by: 'SIGTERM' });
    await life.stop();
    const next = await lives.begin();
    const told = eventsOf(next.host.get('p').events).map(({ data }) => data);
    expect(told.slice(0, 2)).toMatchObject([
      { change: 'started' },
      { change: 'stopping', by: 'SIGTERM', before: { state: 'running' }, after: { state: 'stopped' } },
    ]);
  });
});

describe('a pipeline that is removed', () => {
  it('tells a reader of all pipelines who removed it', async () => {
    const lives = livesOf({ pass });
    const { host } = await lives.begin();
    await host.create({ id: 'p', stages: [{ name: 'S', tasks: ['pass'] }] });
    const { events } = host;
    const woken = Promise.withResolvers<void>();
    const look = (): void => {
      if (eventsOf(events).some(({ data }) => 'change' in data && data.change === 'removed')) woken.resolve();
    };
    const leave = events.subscribe(look);
    await host.remove('p', 'force', { operator: night });
    look();
    await woken.promise;
    leave();
    expect(eventsOf(events).at(-1)?.data).toMatchObject({ pipelineId: 'p', change: 'removed', by: 'night', after: null });
  });
});
