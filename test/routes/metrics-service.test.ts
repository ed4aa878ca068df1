/** `GET /metrics`: what it says of requests, the process and the store against what was done. */

import { once } from 'node:events';
import { connect as connectTo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Start } from '../../src/http/guards/starting.ts';
import type { HandMeasurements } from '../../src/schemas/hands.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { keysOf, startGuarded } from '../http/access-harness.ts';
import { create, definition, feed, get, post, type Service, startService } from '../http/app-harness.ts';
import { eventually } from '../http/sse-harness.ts';
import { folderWith } from '../loader/folder.ts';
import { readMetrics, seriesValue } from '../monitoring/reading.ts';
import { FailingStore } from '../stores/failing-store.ts';
import { by, done, read, service } from './metrics-harness.ts';

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

describe('hands', () => {
  const MEASURED = {
    connected: { fit: 3, unfit: 1, leaving: 2 },
    ...{ running: 4, capacity: 40, waiting: 5, lost: 6, givenAgain: 7, madeHere: 8, bytesIn: 9, bytesOut: 10 },
  };
  const handed = (measure: () => HandMeasurements | null): Promise<Service> =>
    service({ hands: { view: () => ({ hands: [], waiting: [] }), measure, accept: () => undefined, close: async () => undefined } });

  it('are counted as a whole, and none of them by its name', async () => {
    const families = await read(await handed(() => MEASURED));
    expect(by(families, 'sluice_hands', 'state')).toEqual(MEASURED.connected);
    const all = [...families].filter(([name]) => name.startsWith('sluice_hand_'));
    expect(all.map(([name, { type, samples }]) => [name, type, samples])).toEqual(
      [
        ['calls_running', 'gauge', 4],
        ['capacity_calls', 'gauge', 40],
        ['calls_waiting', 'gauge', 5],
        ['lost_total', 'counter', 6],
        ['calls_given_again_total', 'counter', 7],
        ['calls_made_here_total', 'counter', 8],
        ['received_bytes_total', 'counter', 9],
        ['sent_bytes_total', 'counter', 10],
      ].map(([name, type, value]) => [`sluice_hand_${name}`, type, [{ name: `sluice_hand_${name}`, labels: {}, value }]]),
    );
  });

  it('are left out where none may connect', async () => {
    expect([...(await read(await handed(() => null))).keys()].filter((name) => name.startsWith('sluice_hand'))).toEqual([]);
  });
});
