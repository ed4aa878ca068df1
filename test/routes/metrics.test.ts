/** `GET /metrics`: what it says against what was done. */

import { once } from 'node:events';
import { connect as connectTo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TaskDeclaration, TaskHandler } from '../../src/engine/index.ts';
import { Start } from '../../src/http/guards/starting.ts';
import { FAMILIES } from '../../src/http/metrics/families.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { keysOf, startGuarded } from '../http/access-harness.ts';
import { create, definition, feed, get, post, type Service, type ServiceOptions, startService } from '../http/app-harness.ts';
import { eventually } from '../http/sse-harness.ts';
import { folderWith } from '../loader/folder.ts';
import { machinePace } from '../machine-pace.ts';
import { promtool, skipsPromtool } from '../monitoring/promtool.ts';
import { type ReadFamily, readMetrics, seriesValue } from '../monitoring/reading.ts';
import { FailingStore } from '../stores/failing-store.ts';

async function service(options: ServiceOptions = {}): Promise<Service> {
  const started = await startService(options);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

async function read(of: Pick<Service, 'app'>): Promise<Map<string, ReadFamily>> {
  const answer = await of.app.inject({ method: 'GET', url: '/metrics' });
  expect([answer.statusCode, answer.body]).toEqual([200, answer.body]);
  return readMetrics(answer.body);
}

/** Values by what the label says. */
function by(families: ReadonlyMap<string, ReadFamily>, name: string, label: string): Record<string, number> {
  return Object.fromEntries((families.get(name)?.samples ?? []).map(({ labels, value }) => [labels[label], value]));
}

function declared(name: string, run: TaskHandler): TaskDeclaration {
  return { name, kind: 'task', description: name, paramsSchema: null, parseParams: () => undefined, run };
}

const done = (of: Service, id: string, feedId: string) => of.host.get(id).waitForFeed(feedId, {});

describe('GET /metrics', () => {
  it('is text that nobody may keep, also by HEAD, whatever is accepted', async () => {
    const of = await service();
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
    const answer = await of.app.inject({ method: 'GET', url: '/metrics', headers: { accept } });
    expect(answer.headers).toMatchObject({ 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' });
    const head = await of.app.inject({ method: 'HEAD', url: '/metrics' });
    expect([head.statusCode, head.body]).toEqual([200, '']);
    expect((await get(of, '/metrics?name=x')).statusCode).toBe(400);
    // No line for each look: only of the one that is refused.
    expect(of.logs.filter(({ path }) => path === '/metrics')).toEqual([expect.objectContaining({ msg: 'refused', status: 400 })]);
  });

  it('has families of the catalogue only, each with its labels', async () => {
    const of = await service();
    await of.host.create(definition('p', 'picky'));
    await feed(of, 'p', ['good', 'bad'], { feedId: 'f' });
    await done(of, 'p', 'f');
    for (const [name, { type, samples }] of await read(of)) {
      const family = FAMILIES[name as keyof typeof FAMILIES];
      expect([name, type]).toEqual([name, family.type]);
      for (const { labels } of samples) {
        const own = Object.keys(labels).filter((label) => label !== 'le' || type !== 'histogram');
        expect([name, own]).toEqual([name, [...family.labels]]);
      }
    }
  });

  it.skipIf(skipsPromtool)('is what promtool finds nothing wrong with', async () => {
    const of = await service();
    of.host.limiters.define('shared', { concurrency: 5 });
    const stages = [
      { name: 'First stage', tasks: [{ task: 'picky', limiter: 'shared' }] },
      { name: 'Second', tasks: ['echo'] },
    ];
    await of.host.create({ id: 'p', stages });
    await feed(of, 'p', ['good', 'bad', { id: 'a' }, { id: 'a' }], { feedId: 'f' });
    await done(of, 'p', 'f');
    const { body } = await get(of, '/metrics');
    expect(promtool(['check', 'metrics'], body)).toEqual({ status: 0, told: '' });
    expect(promtool(['check', 'metrics'], body.replaceAll('_total', '_all')).status).not.toBe(0);
  });
});

describe('items', () => {
  it('are counted when they are accepted, end and fail, and a retry takes nothing back', async () => {
    const of = await service();
    await of.host.create(definition('p', 'picky'));
    await feed(of, 'p', [1, 2, { id: 'x', value: 'bad' }, { id: 'y', value: 'bad' }, { id: 'x', value: 'again' }], { feedId: 'f' });
    await done(of, 'p', 'f');
    const before = await read(of);
    const look = (families: ReadonlyMap<string, ReadFamily>) => ({
      accepted: seriesValue(families, 'sluice_items_accepted_total', { pipeline: 'p' }),
      duplicates: seriesValue(families, 'sluice_items_duplicate_total', { pipeline: 'p' }),
      inFlight: seriesValue(families, 'sluice_items_in_flight', { pipeline: 'p' }),
      ended: by(families, 'sluice_items_ended_total', 'status'),
      errors: by(families, 'sluice_item_errors_total', 'error_type'),
    });
    expect(look(before)).toEqual({
      accepted: 4,
      duplicates: 1,
      inFlight: 0,
      ended: { completed: 2, failed: 2, cancelled: 0 },
      errors: { PermanentError: 2 },
    });
    expect((await post(of, '/pipelines/p/feeds/f/retry')).json()).toMatchObject({ retried: 2 });
    await done(of, 'p', 'f');
    expect(look(await read(of))).toEqual({
      accepted: 4,
      duplicates: 1,
      inFlight: 0,
      ended: { completed: 2, failed: 4, cancelled: 0 },
      errors: { PermanentError: 4 },
    });
  });

  it('that are fed again, or cancelled, are counted as what they are', async () => {
    const of = await service();
    await of.host.create(definition('p', 'gated'));
    await feed(of, 'p', [{ id: 'a' }, { id: 'b' }], { feedId: 'f' });
    await feed(of, 'p', [{ id: 'a' }, { id: 'c' }], { feedId: 'g' });
    await of.host.get('p').cancelFeed('g');
    await of.host.get('p').cancelItem('b');
    const families = await read(of);
    expect(seriesValue(families, 'sluice_items_accepted_total')).toBe(3);
    expect(seriesValue(families, 'sluice_items_duplicate_total')).toBe(1);
    expect(seriesValue(families, 'sluice_items_in_flight')).toBe(1);
    expect(by(families, 'sluice_items_ended_total', 'status')).toEqual({ completed: 0, failed: 0, cancelled: 2 });
  });

  it('leave no series when their pipeline is removed, and begin at none in the next one of its name', async () => {
    const of = await service();
    for (const id of ['p', 'q']) {
      await of.host.create(definition(id));
      await feed(of, id, [1, 2], { feedId: 'f' });
      await done(of, id, 'f');
    }
    await of.host.remove('p');
    expect((await get(of, '/metrics')).body).not.toMatch(/="p"/);
    expect(by(await read(of), 'sluice_items_accepted_total', 'pipeline')).toEqual({ q: 2 });
    await of.host.create(definition('p'));
    expect(by(await read(of), 'sluice_items_accepted_total', 'pipeline')).toEqual({ p: 0, q: 2 });
  });

  it('that fail in a thousand ways have at most 20 types and the rest', async () => {
    const throws = declared('throws', (value) => {
      throw Object.assign(new Error('no'), { name: String(value) });
    });
    const of = await service({ tasks: [throws] });
    await of.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['throws'], taskAttempts: 1 }] });
    const types = ['quoted "\\\n', ...Array.from({ length: 1000 }, (_, i) => `Made${i}`), ...Array.from({ length: 30 }, () => 'Frequent')];
    await feed(of, 'p', types, { feedId: 'f' });
    await done(of, 'p', 'f');
    const counted = by(await read(of), 'sluice_item_errors_total', 'error_type');
    expect(Object.keys(counted)).toHaveLength(21);
    // One of those that were met once has made place.
    expect(Object.values(counted).reduce((a, b) => a + b)).toBe(1030);
    expect(counted.Frequent).toBeGreaterThan(25);
  });
});

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

  it('that get another name begin at none under it, and the old name goes on where it was', async () => {
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
    expect(await completed()).toEqual({ New: 0, Z: 2 });
    await feedOne('three');
    expect(await completed()).toEqual({ New: 1, Z: 3 });
    await of.host.put('p', { stages: [stage('A'), { ...stage('Z'), workers: 3 }] });
    expect(await completed()).toEqual({ A: 2, Z: 3 });
    await feedOne('four');
    expect(await completed()).toEqual({ A: 3, Z: 4 });
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

describe('requests', () => {
  it('are counted by the template of their route, and made-up ones together', async () => {
    const of = await service();
    await of.host.create(definition('p'));
    await get(of, '/pipelines/p/stats');
    await get(of, '/pipelines/q/stats');
    await get(of, '/pipelines/p/stats');
    await of.app.inject({ method: 'HEAD', url: '/pipelines/p' });
    for (const path of [
      '/made/up',
      '/made/up/2',
      '/pipelines/p/nothing',
      '/%zz',
      '/pipelines/%',
      '/docs/static/nothing.js',
      '/docs/static/swagger-ui.css',
    ])
      await get(of, path);
    await post(of, '/tasks', {});
    const families = await read(of);
    const counts = (families.get('sluice_http_request_duration_seconds')?.samples ?? [])
      .filter(({ name }) => name.endsWith('_count'))
      .map(({ labels: { route, status, method }, value }) => `${method} ${route} ${status}: ${value}`)
      .sort();
    expect(counts).toEqual([
      'GET /docs/static/* 200: 1',
      'GET /pipelines/:id/stats 200: 2',
      'GET /pipelines/:id/stats 404: 1',
      'GET unknown 400: 2',
      'GET unknown 404: 4',
      'HEAD /pipelines/:id 200: 1',
      'POST unknown 405: 1',
    ]);
    expect((await get(of, '/metrics')).body).not.toMatch(/made|nothing/);
  });

  it('are counted without an answer when their client has gone', async () => {
    const of = await service();
    await of.host.create(definition('p', 'hold'));
    await of.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = of.app.server.address() as { port: number };
    const socket = connectTo(port, '127.0.0.1');
    await once(socket, 'connect');
    const body = JSON.stringify({ items: [1] });
    socket.write(
      `POST /pipelines/p/run HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    const accepted = async () => seriesValue(await read(of), 'sluice_items_accepted_total') === 1;
    while (!(await accepted()));
    socket.destroy();
    const labels = { route: '/pipelines/:id/run', status: 'none', method: 'POST' };
    const counted = async () => seriesValue(await read(of), 'sluice_http_request_duration_seconds_count', labels) === 1;
    while (!(await counted()));
  });

  it('that are refused before their route are counted with it', async () => {
    const of = await startGuarded(keysOf('eyes:read', 'hand:feed'));
    onTestFinished(() => of[Symbol.asyncDispose]());
    await of.as(null, 'GET', '/pipelines');
    await of.as('hand', 'GET', '/pipelines/p/stats');
    expect((await of.as(null, 'GET', '/metrics')).status).toBe(401);
    expect((await of.as('hand', 'GET', '/metrics')).status).toBe(403);
    const families = readMetrics((await of.as('eyes', 'GET', '/metrics')).body);
    const count = (route: string, status: string) =>
      seriesValue(families, 'sluice_http_request_duration_seconds_count', { route, status, method: 'GET' });
    expect([count('/pipelines', '401'), count('/pipelines/:id/stats', '403'), count('/metrics', '401'), count('/metrics', '403')]).toEqual([
      1, 1, 1, 1,
    ]);
  });
});

describe('a key for some pipelines', () => {
  it('gets their series, those of their limiters, and nothing that others have a part in', async () => {
    const of = await startGuarded(keysOf('all:read', 'a:read;pipelines=a', 'none:read;pipelines=z'));
    onTestFinished(() => of[Symbol.asyncDispose]());
    for (const name of ['mine', 'theirs']) of.host.limiters.define(name, { concurrency: 5 });
    await of.host.create({ id: 'a', stages: [{ name: 'S', tasks: [{ task: 'echo', limiter: ['mine'] }] }] });
    await of.host.create({ id: 'b', stages: [{ name: 'S', tasks: [{ task: 'echo', limiter: 'theirs' }] }] });
    const familiesOf = async (key: string) => readMetrics((await of.as(key, 'GET', '/metrics')).body);
    const all = await familiesOf('all');
    expect(by(all, 'sluice_items_accepted_total', 'pipeline')).toEqual({ a: 0, b: 0 });
    expect(by(all, 'sluice_limiter_in_use', 'limiter')).toEqual({ mine: 0, theirs: 0 });
    const own = await familiesOf('a');
    expect(by(own, 'sluice_limiter_in_use', 'limiter')).toEqual({ mine: 0 });
    const others = [...own.values()]
      .flatMap(({ samples }) => samples)
      .filter(({ labels }) => labels.pipeline !== 'a' && labels.limiter !== 'mine');
    expect(others.map(({ name }) => name)).toEqual(['sluice_build_info']);
    expect([...(await familiesOf('none')).keys()]).toEqual(['sluice_build_info']);
  });
});

describe('the service', () => {
  it('answers while it starts and while it shuts down, and says that it is not ready', async () => {
    const start = new Start();
    const of = await service({ start });
    expect(seriesValue(await read(of), 'sluice_ready')).toBe(0);
    start.trouble = 'the disk is full';
    expect(seriesValue(await read(of), 'sluice_store_up')).toBe(0);
    start.trouble = null;
    start.finish();
    await of.host.create(definition('p', 'hold'));
    await feed(of, 'p', [1]);
    expect(seriesValue(await read(of), 'sluice_ready')).toBe(1);
    expect(by(await read(of), 'sluice_pipelines', 'state')).toEqual({ created: 0, running: 1, paused: 0, draining: 0, stopped: 0 });
    const ended = of.host.shutdown('drain', 60);
    const families = await read(of);
    expect(seriesValue(families, 'sluice_ready')).toBe(0);
    expect(seriesValue(families, 'sluice_items_in_flight')).toBe(1);
    of.release();
    await ended;
    expect(by(await read(of), 'sluice_pipelines', 'state')).toMatchObject({ stopped: 1 });
  });

  it('says what it is and what it uses', async () => {
    const of = await service();
    const families = await read(of);
    const value = (name: string): number => seriesValue(families, name) ?? Number.NaN;
    expect(families.get('sluice_build_info')?.samples[0]?.labels).toEqual({ version: '0.1.0', node: process.versions.node });
    expect(Math.abs(value('sluice_process_start_time_seconds') - (Date.now() / 1000 - process.uptime()))).toBeLessThan(5);
    expect(value('sluice_process_resident_memory_bytes')).toBeGreaterThan(value('sluice_process_heap_used_bytes'));
    expect(value('sluice_process_heap_limit_bytes')).toBeGreaterThan(value('sluice_process_heap_size_bytes'));
    const { user, system } = process.cpuUsage();
    const cpu = by(families, 'sluice_process_cpu_seconds_total', 'mode');
    expect((cpu.user as number) + (cpu.system as number)).toBeLessThanOrEqual((user + system) / 1e6);
    expect(value('sluice_event_loop_active_seconds_total')).toBeGreaterThan(0);
    if (process.platform === 'linux') {
      expect(value('sluice_process_open_fds')).toBeGreaterThan(2);
      expect(value('sluice_process_max_fds')).toBeGreaterThan(value('sluice_process_open_fds'));
    }
  });

  it('measures by how much its event loop is late', async () => {
    const of = await service();
    await of.app.listen({ host: '127.0.0.1', port: 0 });
    const over = async (le: string) => {
      const families = await read(of);
      const total = seriesValue(families, 'sluice_event_loop_delay_seconds_count') as number;
      return total - (seriesValue(families, 'sluice_event_loop_delay_seconds_bucket', { le }) as number);
    };
    const before = await over('0.25');
    // Longer than two samples are apart: whenever it begins, one is due and late.
    for (const until = performance.now() + 400; performance.now() < until; );
    while ((await over('0.25')) <= before) await new Promise((resolve) => setImmediate(resolve));
  });
});

describe('the store', () => {
  it('is up, has files and a disk, and its writes are counted', async () => {
    const store = await openSqliteStore({ file: join(folderWith(), 's.db'), inProcess: true });
    const of = await service({ store });
    await create(of, definition('p'));
    await feed(of, 'p', [1, 2], { feedId: 'f' });
    await done(of, 'p', 'f');
    const families = await read(of);
    expect(families.get('sluice_store_info')?.samples[0]?.labels).toEqual({ kind: 'sqlite' });
    expect(seriesValue(families, 'sluice_store_up')).toBe(1);
    expect(seriesValue(families, 'sluice_store_flush_seconds_count')).toBeGreaterThan(1);
    expect(seriesValue(families, 'sluice_store_flush_failures_total')).toBe(0);
    const files = by(families, 'sluice_store_file_bytes', 'file');
    expect(Object.keys(files)).toEqual(['database', 'log']);
    expect(files.database as number).toBeGreaterThan(4096);
    expect(seriesValue(families, 'sluice_store_disk_free_bytes')).toBeGreaterThan(0);
  });

  it('that has trouble is not up, while the measurements go on', async () => {
    const failing = new FailingStore();
    const store = failing.of(await openSqliteStore({ file: join(folderWith(), 's.db'), inProcess: true }));
    const of = await service({ store });
    await create(of, definition('p', 'gated'));
    await feed(of, 'p', [1]);
    const flushes = seriesValue(await read(of), 'sluice_store_flush_seconds_count') as number;
    failing.fault = 'the disk is full';
    of.gate.open();
    await eventually(() => of.host.storeHealth.trouble !== null);
    const troubled = await read(of);
    expect(seriesValue(troubled, 'sluice_store_up')).toBe(0);
    expect(seriesValue(troubled, 'sluice_ready')).toBe(0);
    expect(seriesValue(troubled, 'sluice_store_flush_failures_total')).toBe(1);
    expect(seriesValue(troubled, 'sluice_store_flush_seconds_count')).toBe(flushes);
    expect(by(troubled, 'sluice_items_ended_total', 'status')).toMatchObject({ completed: 1 });
    failing.heal();
    await eventually(() => of.host.storeHealth.trouble === null);
    const healed = await read(of);
    expect(seriesValue(healed, 'sluice_store_up')).toBe(1);
    expect(seriesValue(healed, 'sluice_store_flush_seconds_count')).toBeGreaterThan(flushes);
    // It took until the write that succeeded.
    expect(seriesValue(healed, 'sluice_store_flush_seconds_sum')).toBeGreaterThan(0.4);
  });

  it('counts nothing of another process: after a restart all counters begin at 0', async () => {
    const file = join(folderWith(), 's.db');
    const first = await startService({ store: await openSqliteStore({ file, inProcess: true }) });
    await create(first, definition('p', 'picky'));
    await feed(first, 'p', [1, 'bad'], { feedId: 'f' });
    await done(first, 'p', 'f');
    await first[Symbol.asyncDispose]();
    const of = await service({ store: await openSqliteStore({ file, inProcess: true }) });
    await of.host.recover();
    of.host.goOn();
    const families = await read(of);
    expect(seriesValue(families, 'sluice_items_accepted_total', { pipeline: 'p' })).toBe(0);
    expect(by(families, 'sluice_items_ended_total', 'status')).toEqual({ completed: 0, failed: 0, cancelled: 0 });
    expect(families.has('sluice_item_errors_total')).toBe(false);
  });
});
