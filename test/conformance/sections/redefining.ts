import { expect } from 'vitest';
import { EVERYTHING, ended, eventsOf, idsOf, NEVER, named, reaches, type Suite, until } from '../world.ts';

const A = { name: 'A', tasks: ['pass'] };
const B = { name: 'B', tasks: ['gated'] };
const C = { name: 'C', tasks: ['double'] };
const uses = (...steps: number[]) => steps.map((step) => ({ task: 'pass', with: { step } }));

export function redefining({ test, world }: Suite): void {
  test('creates a pipeline that does not exist, started unless that is declined', async () => {
    const { host } = await world();
    const made = await host.put('p', { stages: [A] });
    expect(made).toMatchObject({
      isCreated: true,
      changes: [],
      changedFields: [],
      moved: [],
      pipeline: { state: 'running', definition: { id: 'p' } },
    });
    expect((await host.put('q', { id: 'q', stages: [A] }, { start: false })).pipeline.state).toBe('created');
  });

  test('changes nothing with the same definition again, however it is written', async () => {
    const { host } = await world();
    await host.put('p', { stages: [{ name: 'A', tasks: ['pass'], workers: 2 }] });
    const before = host.get('p').events.newest;
    const again = await host.put('p', { stages: [{ workers: 2, jitter: 0, tasks: ['pass'], name: 'A' }], id: 'p' });
    expect(again).toMatchObject({ isCreated: false, changes: [], changedFields: [], moved: [] });
    expect(host.get('p').events.newest).toBe(before);
    const other = await host.put('p', { stages: [{ name: 'A', tasks: ['pass'], workers: 2 }], retention: { maxItems: 5 } });
    expect(other).toMatchObject({ changes: [], changedFields: ['retention'] });
    expect(host.get('p').events.newest).toBeGreaterThan(before);
  });

  test('refuses a definition with faults, all of them named, and goes on by the old one', async () => {
    const { host, pipeline } = await world();
    const p = await pipeline([A]);
    await expect(host.put('p', { stages: [{ name: 'A', tasks: ['none'] }, A] })).rejects.toMatchObject({
      code: 'unknown-task',
      errors: [{ path: '/stages/0/tasks/0' }, { path: '/stages/1/name' }],
    });
    await expect(host.put('p', { id: 'other', stages: [A] })).rejects.toMatchObject({ code: 'invalid-input', errors: [{ path: '/id' }] });
    expect(await p.run(named('x'), {})).toMatchObject({ results: [{ id: 'x', value: 'x' }] });
  });

  test('lets the items of a stage that is gone go on at the next one that remains', async () => {
    const { host, pipeline, gate, held, runs } = await world();
    const p = await pipeline([A, B, C]);
    await p.feed(
      [1, 2, 3].map((value) => ({ id: `i${value}`, value })),
      {},
    );
    await held(1);
    await reaches(p, 'i3', 'queued', 'B');
    const { changes, moved } = await host.put('p', { stages: [A, C] });
    expect(changes).toEqual([{ stage: 'B', change: 'removed' }]);
    expect(moved).toEqual([{ from: 'B', to: 'C', items: 2, running: 1 }]);
    await ended(p, 2);
    expect((await p.item('i2')).history.map(({ stage, status }) => `${stage}:${status}`)).toEqual([
      'A:queued',
      'A:in_progress',
      'A:completed',
      'B:queued',
      'B:skipped',
      'C:queued',
      'C:in_progress',
      'C:completed',
    ]);
    // The one that ran ends there first.
    expect(await p.item('i1')).toMatchObject({ status: 'in_progress', stage: 'B' });
    gate.open('i1', 5);
    await ended(p, 3);
    const { rows } = await p.results({ status: 'completed', ...EVERYTHING });
    expect(rows.map(({ id, value }) => [id, value])).toEqual([
      ['i1', 10],
      ['i2', 4],
      ['i3', 6],
    ]);
    expect(runs.filter((run) => run.startsWith('gated'))).toEqual(['gated:i1']);
  });

  test('completes the items of a last stage that is gone', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([A, B]);
    await p.feed(named('x', 'y'), {});
    await held(1);
    await reaches(p, 'y', 'queued', 'B');
    expect((await host.put('p', { stages: [A] })).moved).toEqual([{ from: 'B', to: null, items: 1, running: 1 }]);
    await ended(p, 1);
    gate.open('x');
    await ended(p, 2);
    expect((await p.results({ status: 'completed', ...EVERYTHING })).rows.map(({ value }) => value)).toEqual(['x', 'y']);
  });

  test('lets who waits for its next attempt go on, and who fails with one to come', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([{ ...B, workers: 2, taskWaitSeconds: NEVER }, C]);
    await p.feed(
      [1, 2].map((value) => ({ id: `i${value}`, value })),
      {},
    );
    await held(2);
    gate.fail('i1', new RangeError('no'));
    await reaches(p, 'i1', 'retrying');
    expect((await host.put('p', { stages: [C] })).moved).toEqual([{ from: 'B', to: 'C', items: 1, running: 1 }]);
    await ended(p, 1);
    gate.fail('i2', new RangeError('no'));
    await ended(p, 2);
    expect((await p.results({ status: 'completed', ...EVERYTHING })).rows.map(({ value }) => value)).toEqual([2, 4]);
  });

  test('keeps a stage under another name, with its items, when the same tasks stand in its place', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([A, B, C]);
    await p.feed(
      [1, 2].map((value) => ({ id: `i${value}`, value })),
      {},
    );
    await held(1);
    await reaches(p, 'i2', 'queued', 'B');
    const { changes, moved } = await host.put('p', { stages: [A, { ...B, name: 'Hold', workers: 2 }, C] });
    expect(changes).toEqual([
      { stage: 'Hold', change: 'renamed', from: 'B' },
      { stage: 'Hold', change: 'changed', fields: ['workers'] },
    ]);
    expect(moved).toEqual([]);
    await held(2);
    expect(await p.workerNames()).toEqual({ A: ['A-W0'], Hold: ['Hold-W0', 'Hold-W1'], C: ['C-W0'] });
    gate.open();
    await ended(p, 2);
    expect(idsOf(p, 'completed', 'Hold')).toEqual(['i1', 'i2']);
  });

  test('retries what has failed in a stage under the name that it has now', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([A, { ...B, taskAttempts: 1, stageAttempts: 1 }, C]);
    await p.feed([{ id: 'x', value: 1 }], {});
    await held(1);
    gate.fail('x', new Error('no'));
    await ended(p, 1);
    await host.put('p', { stages: [A, { ...B, name: 'Hold', taskAttempts: 1, stageAttempts: 1 }, C] });
    await expect(p.retryFailed({ stage: 'B' })).rejects.toMatchObject({ code: 'unknown-stage' });
    expect(await p.retryFailed({ stage: 'C' })).toBe(0);
    expect(await p.retryFailed({ stage: 'Hold' })).toBe(1);
    await held(1);
    gate.open('x');
    await ended(p, 1);
    expect(idsOf(p, 'completed', 'C')).toEqual(['x']);
  });

  test('sends no item through a stage twice when the order changes, and leaves none out', async () => {
    const { host, pipeline, gate, held, runs } = await world();
    const p = await pipeline([{ name: 'First', tasks: ['pass'] }, B, { name: 'Last', tasks: ['double'] }]);
    await p.feed([{ id: 'x', value: 1 }], {});
    await held(1);
    const { changes } = await host.put('p', { stages: [{ name: 'Last', tasks: ['double'] }, B, { name: 'First', tasks: ['pass'] }] });
    expect(changes.every(({ change }) => change === 'reordered')).toBe(true);
    await p.feed([{ id: 'y', value: 2 }], {});
    gate.open('x');
    await held(1);
    gate.open('y');
    await ended(p, 2);
    const inOrder = (id: string) => runs.filter((run) => run.endsWith(`:${id}`)).map((run) => run.split(':')[0]);
    expect(inOrder('x')).toEqual(['pass', 'gated', 'double']);
    expect(inOrder('y')).toEqual(['double', 'gated', 'pass']);
  });

  for (const [where, stages] of [
    ['further on', [A, C, B]],
    ['further ahead', [B, A, C]],
  ] as const) {
    test(`sends what runs in a stage that goes and comes again ${where} through what it had before it`, async () => {
      const { host, pipeline, gate, held, runs } = await world();
      const p = await pipeline([A, B, C]);
      await p.feed(named('x'), {});
      await held(1);
      await host.put('p', { stages: [A, C] });
      await host.put('p', { stages: [...stages] });
      gate.open('x');
      await ended(p, 1);
      expect(runs.map((run) => run.split(':')[0])).toEqual(['pass', 'gated', 'double']);
    });

    test(`sends what failed in a stage that is gone through what it had before it when one of its name is there, ${where}`, async () => {
      const { host, pipeline, gate, held, runs } = await world();
      const p = await pipeline([A, { ...B, taskAttempts: 1 }, C]);
      await p.feed(named('x'), {});
      await held(1);
      gate.fail('x', new Error('no'));
      await ended(p, 1);
      await host.put('p', { stages: [A, C] });
      await host.put('p', { stages: [...stages] });
      expect(await p.retryFailed({})).toBe(1);
      await held(1);
      gate.open('x');
      await ended(p, 1);
      // The first of its two executions in the stage failed.
      expect(runs.map((run) => run.split(':')[0])).toEqual(['pass', 'gated', 'gated', 'double']);
    });
  }

  test('lets an item that waits between two tasks go on after those that it has behind it', async () => {
    const { host, pipeline, runs } = await world();
    const stage = { name: 'A', taskWaitSeconds: NEVER };
    const p = await pipeline([{ ...stage, tasks: [...uses(1, 2), 'broken'] }]);
    await p.feed(named('x'), {});
    await reaches(p, 'x', 'retrying');
    await host.put('p', { stages: [{ ...stage, tasks: [...uses(0, 1, 2), 'double'] }] });
    await p.shutdown('graceful');
    await p.start();
    expect(runs).toEqual(['pass:x', 'pass:x', 'broken:x']);
    expect(await p.item('x')).toMatchObject({ status: 'retrying' });
    expect((await p.describe()).definition.stages[0]?.tasks).toHaveLength(4);
  });

  test('gives workers that wait for a limit back their items when their stage is gone', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([{ ...B, workers: 2, taskConcurrencyLimits: { gated: 1 } }, C]);
    await p.feed(
      [1, 2].map((value) => ({ id: `i${value}`, value })),
      {},
    );
    await held(1);
    await until(p, async () => (await p.item('i2')).waitingFor?.reason === 'task-limit');
    expect((await host.put('p', { stages: [C] })).moved).toEqual([{ from: 'B', to: 'C', items: 1, running: 1 }]);
    await ended(p, 1);
    gate.open('i1');
    await ended(p, 2);
  });

  test('never exceeds a limit that two definitions of a stage have', async () => {
    const { host, pipeline, gate, held } = await world();
    const limited = { ...B, workers: 5, taskConcurrencyLimits: { gated: 2 } };
    const p = await pipeline([limited]);
    await p.feed(named('a', 'b', 'c', 'd'), {});
    await held(2);
    await host.put('p', { stages: [{ ...limited, taskAttempts: 7 }] });
    await p.feed(named('e'), {});
    gate.open('a');
    await ended(p, 1);
    await held(2);
    expect(gate.inside).toHaveLength(2);
    while ((await p.stats()).itemsInFlight > 0) {
      const [first = ''] = await held(1);
      expect(gate.inside.length).toBeLessThanOrEqual(2);
      const before = (await p.stats()).itemsProcessed;
      gate.open(first);
      await ended(p, before + 1);
    }
  });

  test('lets workers that wait for room in a stage that is gone hand over to the next', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([{ ...A, workers: 3 }, { ...B, queueCapacity: 1 }, C]);
    await p.feed(
      [1, 2, 3, 4].map((value) => ({ id: `i${value}`, value })),
      {},
    );
    await held(1);
    await until(p, async () => (await p.item('i4')).waitingFor?.reason === 'next-stage-full');
    await host.put('p', { stages: [A, C] });
    await ended(p, 3);
    gate.open('i1');
    await ended(p, 4);
    expect((await p.stats()).itemsProcessed).toBe(4);
  });

  test('retries at the next stage that remains what failed in one that is gone', async () => {
    const { host, pipeline } = await world();
    const p = await pipeline([{ name: 'X', tasks: ['refused'] }, C]);
    await p.feed([{ id: 'x', value: 3 }], {});
    await ended(p, 1);
    await host.put('p', { stages: [C] });
    await p.retryItem('x');
    await ended(p, 1);
    expect(await p.item('x')).toMatchObject({ status: 'completed', value: 6 });
  });

  test('takes an upload further whose stage is gone or has another name', async () => {
    const { host, pipeline } = await world();
    const p = await pipeline([A, C]);
    const writer = await p.openFeed({ targetStage: 'C' });
    await writer.push([1]);
    await host.put('p', { stages: [A, { ...C, name: 'Twice' }] });
    await writer.push([2]);
    await ended(p, 2);
    await host.put('p', { stages: [A] });
    await writer.push([3]);
    await writer.end();
    await ended(p, 3);
    expect((await p.results({ status: 'completed', ...EVERYTHING })).rows.map(({ value }) => value)).toEqual([2, 4, 3]);
  });

  test('is one pipeline event, and changes its bounds too', async () => {
    const { host, pipeline } = await world();
    const p = await pipeline([A], { backlogCapacity: 1, start: false });
    await p.feed([1], {});
    await expect(p.feed([2], {})).rejects.toMatchObject({ code: 'queue-full' });
    await host.put('p', { stages: [A], backlogCapacity: 2, description: 'more' });
    await p.feed([2], {});
    const changes = eventsOf(p, { types: new Set(['pipeline']) }).map(({ data }) => 'change' in data && data.change);
    expect(changes.filter((change) => change === 'redefined')).toHaveLength(1);
    expect((await p.describe()).definition).toMatchObject({ description: 'more', backlogCapacity: 2 });
  });
}

export function tuning({ test, world }: Suite): void {
  test('changes a stage at once, says what holds and what is defined, and returns to the definition', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ ...B, taskConcurrencyLimits: { gated: 3 } }]);
    await p.feed(named('a', 'b', 'c', 'd'), {});
    await held(1);
    const defined = { workers: 1, taskConcurrencyLimits: { gated: 3 }, taskRateLimits: {}, queueCapacity: 100 };
    expect(await p.tune('B', { workers: 4, queueCapacity: 7 })).toEqual({
      stage: 'B',
      effective: { ...defined, workers: 4, queueCapacity: 7 },
      defined,
    });
    await held(3);
    expect((await p.tune('B', { taskConcurrencyLimits: {} })).effective).toMatchObject({ workers: 4, taskConcurrencyLimits: {} });
    await held(4);
    const { definition, overrides, workers } = await p.describe();
    expect(definition.stages[0]).toMatchObject({ workers: 1 });
    expect(overrides).toEqual({ B: { workers: 4, queueCapacity: 7, taskConcurrencyLimits: {} } });
    expect(workers.B).toHaveLength(4);
    expect(await p.untune('B')).toEqual({ stage: 'B', effective: defined, defined });
    expect(await p.describe()).toMatchObject({ overrides: {}, workers: { B: ['B-W0'] } });
  });

  test('names every fault, and then changes nothing', async () => {
    const { pipeline } = await world();
    const p = await pipeline([A]);
    await expect(p.tune('A', { workers: 20_000, taskRateLimits: { other: { limit: 1, perSeconds: 1 } } })).rejects.toMatchObject({
      code: 'invalid-pipeline',
      errors: [{ path: '/taskRateLimits/other' }, { path: '/workers' }],
    });
    await expect(p.tune('none', {})).rejects.toMatchObject({ code: 'unknown-stage' });
    await expect(p.untune('none')).rejects.toMatchObject({ code: 'unknown-stage' });
    expect((await p.describe()).overrides).toEqual({});
  });

  test('stays with its stage through a new definition, also under another name', async () => {
    const { host, pipeline } = await world();
    const p = await pipeline([A, C]);
    await p.tune('C', { workers: 3, taskConcurrencyLimits: { double: 2 } });
    await host.put('p', { stages: [A, { ...C, name: 'Twice' }] });
    expect((await p.describe()).overrides).toEqual({ Twice: { workers: 3, taskConcurrencyLimits: { double: 2 } } });
    expect((await p.describe()).workers.Twice).toHaveLength(3);
    await host.put('p', { stages: [A, { name: 'Twice', tasks: ['pass'] }] });
    expect((await p.describe()).overrides).toEqual({ Twice: { workers: 3, taskConcurrencyLimits: {} } });
    await host.put('p', { stages: [A] });
    expect((await p.describe()).overrides).toEqual({});
  });
}
