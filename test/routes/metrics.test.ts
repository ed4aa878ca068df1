import { describe, expect, it, onTestFinished } from 'vitest';
import { FAMILIES } from '../../src/http/metrics/families.ts';
import { keysOf, startGuarded } from '../http/access-harness.ts';
import { definition, feed, get, post } from '../http/app-harness.ts';
import { promtool, skipsPromtool } from '../monitoring/promtool.ts';
import { type ReadFamily, readMetrics, seriesValue } from '../monitoring/reading.ts';
import { by, declared, done, read, service } from './metrics-harness.ts';

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
