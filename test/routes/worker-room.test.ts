import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, feed, get, type Service, startService } from '../http/app-harness.ts';

const MOST = 100;

let service: Service;
beforeEach(async () => {
  service = await startService({ bounds: { maxWorkers: MOST, maxPipelines: 4 } });
});
afterEach(() => service[Symbol.asyncDispose]());

const stages = (...workers: number[]): object[] => workers.map((count, i) => ({ name: `S${i}`, workers: count, tasks: ['gated'] }));
const put = (id: string, ...workers: number[]) =>
  service.app.inject({ method: 'PUT', url: `/pipelines/${id}`, payload: { stages: stages(...workers) } });
const tune = (id: string, stage: string, workers: number) =>
  service.app.inject({ method: 'PATCH', url: `/pipelines/${id}/stages/${stage}`, payload: { workers } });
const untune = (id: string, stage: string) => service.app.inject({ method: 'DELETE', url: `/pipelines/${id}/stages/${stage}` });

/** How many workers there are, wherever. */
async function workers(): Promise<number> {
  const { pipelines } = (await get(service, '/pipelines')).json();
  let count = 0;
  for (const { id } of pipelines) count += Object.keys((await get(service, `/pipelines/${id}/workers/states`)).json()).length;
  return count;
}

function expectRefused(response: Awaited<ReturnType<typeof put>>, path = '/stages'): void {
  expect(response.statusCode).toBe(422);
  expect(response.json()).toMatchObject({
    code: 'invalid-pipeline',
    errors: [{ path, message: expect.stringMatching(/MAX_WORKERS allows \(100\)/) }],
  });
}

describe('more workers than all pipelines may have together', () => {
  it('are refused at create, and nothing is left of it', async () => {
    expect((await create(service, { id: 'a', stages: stages(30, 30) })).statusCode).toBe(201);
    expectRefused(await create(service, { id: 'b', stages: stages(20, 21) }));
    expect((await get(service, '/pipelines/b')).statusCode).toBe(404);
    expect((await create(service, { id: 'b', stages: stages(20, 20) })).statusCode).toBe(201);
    expectRefused(await create(service, { id: 'c', stages: stages(1) }));
    expect(await workers()).toBe(MOST);
  });

  it('are refused at PUT, of a new pipeline and of one that runs', async () => {
    expectRefused(await put('a', 50, 51));
    expect((await put('a', 50, 50)).statusCode).toBe(201);
    expectRefused(await put('a', 50, 50, 1));
    expect((await put('a', 10, 50)).statusCode).toBe(200);
    expect((await put('b', 40)).statusCode).toBe(201);
    expectRefused(await put('b', 41));
    expect(await workers()).toBe(MOST);
  });

  it('are refused at live tuning; the way back to the definition stays open', async () => {
    await put('a', 40, 20);
    await put('b', 40);
    expectRefused(await tune('a', 'S0', 41), '/workers');
    expect((await tune('a', 'S0', 1)).statusCode).toBe(200);
    // What the definition says still counts.
    expectRefused(await tune('a', 'S1', 21), '/workers');
    expectRefused(await put('b', 41));
    expect((await untune('a', 'S0')).json()).toMatchObject({ effective: { workers: 40 } });
    expect((await put('a', 10, 20)).statusCode).toBe(200);
    expect((await tune('a', 'S0', 40)).statusCode).toBe(200);
    expectRefused(await put('b', 41));
    expect((await untune('a', 'S0')).statusCode).toBe(200);
    expect((await put('b', 70)).statusCode).toBe(200);
    expect(await workers()).toBe(MOST);
  });

  it('are counted as long as they run, also of a stage that is gone', async () => {
    await put('a', 60);
    await feed(
      service,
      'a',
      Array.from({ length: 60 }, (_, i) => i),
    );
    await service.held(60);
    const renamed = (name: string, count: number) =>
      service.app.inject({ method: 'PUT', url: '/pipelines/a', payload: { stages: [{ name, workers: count, tasks: ['echo'] }] } });
    expectRefused(await renamed('Other', 41));
    expect((await renamed('Other', 40)).statusCode).toBe(200);
    expect(await workers()).toBe(MOST);
    expectRefused(await renamed('Third', 41));
    expectRefused(await create(service, { id: 'b', stages: stages(1) }));
  });

  it('of a pipeline that is removed are free again', async () => {
    await put('a', 100);
    await service.app.inject({ method: 'DELETE', url: '/pipelines/a' });
    expect((await put('b', 100)).statusCode).toBe(201);
  });

  it('are a fault beside others, where a stage alone has too many', async () => {
    const response = await create(service, { id: 'a', stages: stages(10_001) });
    expect(response.json()).toMatchObject({ status: 422, errors: [{ path: '/stages/0/workers', message: 'is more than 10000' }] });
  });
});

it('more pipelines than there may be are refused, as many as are removed may come', async () => {
  for (const id of ['a', 'b', 'c', 'd']) expect((await put(id, 1)).statusCode).toBe(201);
  const refused = await put('e', 1);
  expect(refused.json()).toMatchObject({
    status: 422,
    code: 'invalid-pipeline',
    errors: [{ message: expect.stringContaining('MAX_PIPELINES') }],
  });
  expect((await put('a', 2)).statusCode).toBe(200);
  await service.app.inject({ method: 'DELETE', url: '/pipelines/a' });
  expect((await put('e', 1)).statusCode).toBe(201);
});
