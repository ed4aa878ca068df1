import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { feed, get, post } from '../http/app-harness.ts';
import { eventually } from '../http/sse-harness.ts';
import { machinePace } from '../machine-pace.ts';
import { type ReadFamily, seriesValue } from '../monitoring/reading.ts';
import { declared, done, read, service } from './metrics-harness.ts';

describe('stages', () => {
  /** Of one stage: values by the last label, or the one value. */
  const look = (families: ReadonlyMap<string, ReadFamily>, stage: string) => {
    const of = (name: string, label?: string) => {
      const samples = (families.get(name)?.samples ?? []).filter(({ labels }) => labels.stage === stage);
      return label === undefined ? samples[0]?.value : Object.fromEntries(samples.map(({ labels, value }) => [labels[label], value]));
    };
    return {
      items: of('sluice_stage_items_total', 'outcome'),
      retries: of('sluice_stage_retries_total'),
      queue: of('sluice_stage_queue_items', 'state'),
      workers: of('sluice_stage_workers', 'state'),
      paused: of('sluice_stage_paused'),
      waits: seriesValue(families, 'sluice_stage_wait_seconds_count', { stage }),
    };
  };

  const failsTwice = () => {
    const attempts = new Map<string, number>();
    return declared('twice', (value, { itemId }) => {
      const attempt = (attempts.get(itemId) ?? 0) + 1;
      attempts.set(itemId, attempt);
      if (attempt <= 2) throw new Error('not yet');
      return value;
    });
  };

  it('count what left them by how, each attempt of a task, and each retry', async () => {
    const of = await service({ tasks: [failsTwice()] });
    const stages = [
      { name: 'First stage', tasks: ['picky'] },
      { name: 'Second', workers: 2, tasks: ['echo', 'twice'], taskAttempts: 3, taskWaitSeconds: 0 },
      { name: 'Third', tasks: ['gated'] },
    ];
    await of.host.create({ id: 'p', stages });
    await feed(of, 'p', [{ id: 'a' }, { id: 'b' }, { id: 'c', value: 'bad' }], { feedId: 'f' });
    await of.gate.arrived('a');
    of.gate.open('a');
    await of.gate.arrived('b');
    await of.host.get('p').cancelItem('b');
    const families = await read(of);
    const idle = { running: 0, limited: 0, blocked: 0 };
    const empty = { queued: 0, retrying: 0 };
    expect(look(families, 'First stage')).toEqual({
      items: { completed: 2, skipped: 0, failed: 1, cancelled: 0 },
      retries: 0,
      queue: empty,
      workers: { ...idle, idle: 1 },
      paused: 0,
      waits: 3,
    });
    expect(look(families, 'Second')).toMatchObject({ items: { completed: 2, skipped: 0, failed: 0, cancelled: 0 }, retries: 4, waits: 6 });
    expect(look(families, 'Third')).toMatchObject({ items: { completed: 1, skipped: 0, failed: 0, cancelled: 1 }, retries: 0 });
    const executions = (stage: string, task: string, outcome: string) =>
      seriesValue(families, 'sluice_task_duration_seconds_count', { pipeline: 'p', stage, task, outcome });
    expect(executions('First stage', 'picky', 'completed')).toBe(2);
    expect(executions('First stage', 'picky', 'failed')).toBe(1);
    expect(executions('Second', 'twice', 'completed')).toBe(2);
    expect(executions('Second', 'twice', 'failed')).toBe(4);
    expect(executions('Second', 'echo', 'completed')).toBe(2);

    await post(of, '/pipelines/p/items/c/retry');
    await done(of, 'p', 'f');
    expect(look(await read(of), 'First stage')).toMatchObject({ items: { completed: 2, failed: 2 } });
  });

  it('say where items are, what workers do, and what is paused', async () => {
    const of = await service();
    const stages = [
      { name: 'A', workers: 3, tasks: ['echo'] },
      { name: 'B', workers: 4, queueCapacity: 1, tasks: ['gated'], taskConcurrencyLimits: { gated: 1 } },
      { name: 'C', workers: 2, tasks: ['fail'], taskWaitSeconds: 3600 },
    ];
    await of.host.create({ id: 'p', stages });
    await feed(
      of,
      'p',
      Array.from({ length: 10 }, (_, i) => i),
    );
    await of.held(1);
    // Until all have come as far as they can.
    const blocked = async () => (await of.host.measure()).pipelines[0]?.stages[0]?.workers.blocked;
    while ((await blocked()) !== 3) await new Promise((resolve) => setImmediate(resolve));
    // Four are with B's workers, one of them runs; one waits before B, three are with A's workers, and two before A.
    const families = await read(of);
    expect(look(families, 'B')).toMatchObject({
      queue: { queued: 1, retrying: 0 },
      workers: { running: 1, limited: 3, blocked: 0, idle: 0 },
      items: { completed: 0 },
    });
    expect(look(families, 'A')).toMatchObject({
      queue: { queued: 2, retrying: 0 },
      workers: { running: 0, limited: 0, blocked: 3, idle: 0 },
      items: { completed: 5 },
    });
    expect(look(families, 'C')).toMatchObject({ workers: { running: 0, limited: 0, blocked: 0, idle: 2 }, paused: 0 });
    await of.host.get('p').pauseStage('C');
    expect(look(await read(of), 'C')).toMatchObject({ paused: 1 });
    expect(look(await read(of), 'A')).toMatchObject({ paused: 0 });
    await of.host.get('p').resumeStage('C');
    await of.host.get('p').pause();
    expect(['A', 'B', 'C'].map((stage) => look(families, stage).paused)).toEqual([0, 0, 0]);
    const paused = await read(of);
    expect(['A', 'B', 'C'].map((stage) => look(paused, stage).paused)).toEqual([1, 1, 1]);
  });

  it('tell how old the oldest item is, how long items waited, and how long tasks took', async () => {
    const clock = new VirtualClock();
    const of = await service({ engineClock: clock });
    await of.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['gated'] }] });
    await feed(of, 'p', [{ id: 'a' }, { id: 'b' }]);
    await of.gate.arrived('a');
    const age = async () => seriesValue(await read(of), 'sluice_stage_oldest_item_age_seconds', { stage: 'S' });
    expect(await age()).toBe(0);
    await clock.advance(90_000);
    expect(await age()).toBe(90);
    of.gate.open('a');
    await of.gate.arrived('b');
    await clock.advance(2000);
    expect(await age()).toBe(92);
    of.gate.open('b');
    await eventually(() => clock.pending === 0);
    const families = await read(of);
    expect(seriesValue(families, 'sluice_stage_oldest_item_age_seconds', { stage: 'S' })).toBe(0);
    const task = { stage: 'S', task: 'gated', outcome: 'completed' };
    const executions = (le: string) => seriesValue(families, 'sluice_task_duration_seconds_bucket', { ...task, le });
    expect(['1', '2.5', '60', '300'].map(executions)).toEqual([0, 1, 1, 2]);
    expect(seriesValue(families, 'sluice_task_duration_seconds_sum', task)).toBe(92);
    const waits = (le: string) => seriesValue(families, 'sluice_stage_wait_seconds_bucket', { stage: 'S', le });
    expect(['0.001', '60', '300'].map(waits)).toEqual([1, 1, 2]);
    expect(seriesValue(families, 'sluice_stage_wait_seconds_sum', { stage: 'S' })).toBe(90);
  });

  it('that a definition removes leave no series, and go on counting when they are made again', async () => {
    const of = await service();
    const [a, b] = [
      { name: 'A', tasks: ['echo'] },
      { name: 'B', tasks: ['picky'] },
    ];
    const feedAll = async (feedId: string) => {
      await feed(of, 'p', [1, 'bad'], { feedId });
      await done(of, 'p', feedId);
    };
    const leftB = async () => {
      const families = await read(of);
      return {
        items: look(families, 'B').items,
        executions: seriesValue(families, 'sluice_task_duration_seconds_count', { stage: 'B', task: 'picky', outcome: 'completed' }),
        waits: seriesValue(families, 'sluice_stage_wait_seconds_count', { stage: 'B' }),
      };
    };
    await of.host.create({ id: 'p', stages: [a, b] });
    await feedAll('one');
    const one = { items: { completed: 1, skipped: 0, failed: 1, cancelled: 0 }, executions: 1, waits: 2 };
    expect(await leftB()).toEqual(one);
    await of.host.put('p', { stages: [a] });
    expect((await get(of, '/metrics')).body).not.toContain('stage="B"');
    await feedAll('two');
    await of.host.put('p', { stages: [a, b] });
    expect(await leftB()).toEqual(one);
    await feedAll('three');
    expect(await leftB()).toEqual({ items: { completed: 2, skipped: 0, failed: 2, cancelled: 0 }, executions: 2, waits: 4 });
  });

  it('that get another name take along what was counted, and the old one is gone until another stage has it', async () => {
    const of = await service();
    const stage = (name: string) => ({ name, tasks: ['echo'] });
    const completed = async () =>
      Object.fromEntries(
        ((await read(of)).get('sluice_stage_items_total')?.samples ?? [])
          .filter(({ labels }) => labels.outcome === 'completed')
          .map(({ labels, value }) => [labels.stage, value]),
      );
    const feedOne = async (feedId: string) => {
      await feed(of, 'p', [1], { feedId });
      await done(of, 'p', feedId);
    };
    await of.host.create({ id: 'p', stages: [stage('A'), { ...stage('Z'), workers: 3 }] });
    await feedOne('one');
    await feedOne('two');
    await of.host.put('p', { stages: [stage('New'), { ...stage('Z'), workers: 3 }] });
    expect(await completed()).toEqual({ New: 2, Z: 2 });
    await feedOne('three');
    expect(await completed()).toEqual({ New: 3, Z: 3 });
    await of.host.put('p', { stages: [stage('A'), { ...stage('Z'), workers: 3 }] });
    expect(await completed()).toEqual({ A: 3, Z: 3 });
    await of.host.put('p', { stages: [stage('New'), { ...stage('Z'), workers: 3 }, { name: 'A', tasks: ['echo', 'echo'] }] });
    await feedOne('four');
    expect(await completed()).toEqual({ New: 1, Z: 4, A: 4 });
  });

  it('of which one leaves while another has its name already are one, and nothing of either is lost', async () => {
    const of = await service();
    await of.host.create({
      id: 'p',
      stages: [
        { name: 'In', tasks: ['echo'] },
        { name: 'A', tasks: ['gated'] },
      ],
    });
    await feed(of, 'p', [{ id: 'x' }], { feedId: 'f' });
    await of.gate.arrived('x');
    await of.host.put('p', { stages: [{ name: 'In', tasks: ['echo'] }] });
    await of.host.put('p', {
      stages: [
        { name: 'In', tasks: ['echo'] },
        { name: 'A', tasks: ['picky'] },
      ],
    });
    const both = await read(of);
    expect(look(both, 'A')).toMatchObject({ workers: { running: 1, idle: expect.any(Number) }, items: { completed: 0 } });
    of.gate.open('x');
    await done(of, 'p', 'f');
    await feed(of, 'p', [{ id: 'y' }], { feedId: 'g' });
    await done(of, 'p', 'g');
    expect(look(await read(of), 'A')).toMatchObject({ items: { completed: 2, skipped: 0, failed: 0, cancelled: 0 }, waits: 2 });
  });

  it('of 20 pipelines with 5 stages each cost less than 20 ms of processor time', { timeout: 60_000 }, async () => {
    const of = await service();
    const stages = Array.from({ length: 5 }, (_, i) => ({ name: `Stage ${i}`, workers: 5, tasks: ['echo', 'picky'] }));
    for (let i = 0; i < 20; i++) {
      await of.host.create({ id: `pipeline-${i}`, stages });
      await of.host.get(`pipeline-${i}`).run([1, 2, 3, 'bad'], {});
    }
    const costs: number[] = [];
    for (let i = 0; i < 15; i++) {
      const before = process.threadCpuUsage();
      const { body } = await get(of, '/metrics');
      const { user, system } = process.threadCpuUsage(before);
      costs.push((user + system) / 1000);
      expect(body.split('\n').length).toBeGreaterThan(5000);
    }
    const [median = 0] = costs.sort((a, b) => a - b).slice(7);
    expect(median).toBeLessThan(20 * machinePace());
  });
});
