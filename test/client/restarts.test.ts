/** The client over a service that is killed and started again, as a process with a store in a file. */
import { expect, it } from 'vitest';
import { type ConnectionState, createSluice, dataOf } from '../../src/client/index.ts';
import { mortal } from '../e2e/mortal.ts';
import { collect, numbers } from './world.ts';

const DEFINITION = { id: 'p', stages: [{ name: 'S', workers: 2, tasks: ['echo'] }] };
const TASKS = { 'echo.mjs': 'export default { run: (value) => value };' };
const PATIENCE = { firstSeconds: 0.1, maxSeconds: 0.5 };

it.each(['stream', 'batches'] as const)(
  'an upload without ids, events and a wait go on over kills, as %s',
  { timeout: 60_000 },
  async (upload) => {
    const { url, killAndRestart } = await mortal([DEFINITION], TASKS);
    const sluice = createSluice({ url });
    const states: ConnectionState['state'][] = [];
    const ended: string[] = [];
    const { asOf: after } = await dataOf(sluice.api.GET('/pipelines/{id}/stats', { params: { path: { id: 'p' } } }));
    const following = (async () => {
      const options = { after, types: ['status' as const, 'feed' as const], feedId: 'f', patience: PATIENCE };
      for await (const event of sluice.follow('p', { ...options, onState: ({ state }) => void states.push(state) })) {
        expect(event).not.toMatchObject({ event: 'gap' });
        if (event.event === 'status' && event.data.final) ended.push(event.data.itemId);
        // The upload in batches is complete between two of them.
        if (event.event === 'feed' && event.data.total === 2000) return;
      }
    })();
    // Awaited at the end; until then its failure is not unhandled.
    following.catch(() => undefined);
    async function* items() {
      for (const item of numbers(2000)) {
        // In the middle of what is sent, right after the service has taken some.
        if (item.n === 1000) await killAndRestart();
        yield item;
      }
    }
    const outcome = await sluice.feed('p', items(), { feedId: 'f', upload, patience: PATIENCE });
    expect(outcome).toEqual({ feedId: 'f', accepted: 2000, duplicates: 0 });
    expect(await sluice.wait('p', 'f', { patience: PATIENCE })).toMatchObject({
      done: true,
      total: 2000,
      completed: 2000,
      uploadComplete: true,
    });
    await following;
    expect(states.filter((state) => state === 'open').length).toBeGreaterThanOrEqual(2);
    expect(new Set(ended).size).toBe(2000);
    expect(ended).toHaveLength(2000);
    const results = await collect(sluice.results('p', { feedId: 'f' }));
    expect(results.map(({ value }) => (value as { n: number }).n)).toEqual(numbers(2000).map(({ n }) => n));
  },
);

it('a run has each result once over a kill', { timeout: 60_000 }, async () => {
  const { url, killAndRestart } = await mortal([DEFINITION], TASKS);
  const sluice = createSluice({ url });
  const seen: number[] = [];
  let killed: Promise<void> | undefined;
  for await (const { value } of sluice.run('p', numbers(3000), { feedId: 'f', patience: PATIENCE })) {
    seen.push((value as { n: number }).n);
    if (seen.length === 1000) killed = killAndRestart();
  }
  await killed;
  expect(seen.sort((a, b) => a - b)).toEqual(numbers(3000).map(({ n }) => n));
  expect(await collect(sluice.results('p'))).toHaveLength(3000);
});
