import { expect } from 'vitest';
import { EVERYTHING } from '../../conformance/world.ts';
import { livesOf, unstoredOf } from '../durable-host.ts';
import { move } from './moves.ts';
import { type MakeLives, World } from './world.ts';

const STEPS = 60;
const onOneFile: MakeLives = () => livesOf;

/** So many random moves, then an end to all faults; whatever was promised holds. */
export async function simulate(seed: number, makeLives = onOneFile, steps = STEPS): Promise<void> {
  const world = new World(seed, makeLives);
  try {
    await world.begin();
    await world.clock.finish(world.life.host.create(world.definition));
    world.setFaults(true);
    for (let step = 0; step < steps; step++) await move(world);
    world.setFaults(false);
    await world.end('crash');
    const { p, clock } = world;
    if ((await p.describe()).state === 'paused') await clock.finish(p.resume());
    for (const { name } of p.definition.stages) await clock.finish(p.resumeStage(name));
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    await clock.finish(world.balance());
    const { rows } = await clock.finish(p.items(EVERYTHING));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled } = await clock.finish(p.stats());
    expect(itemsProcessed + itemsFailed + itemsCancelled).toBe(itemsFed);
    expect(rows).toHaveLength(itemsFed);
    const byId = new Map(rows.map((row) => [row.id, row.status]));
    const { acknowledged, keys } = world.expected.now;
    for (const id of acknowledged) expect(['completed', 'failed', 'cancelled'], id).toContain(byId.get(id));
    for (const ids of keys.values()) for (const id of ids) expect(byId.has(id)).toBe(true);
    // X comes and goes, and is another stage each time; of the others no item meets one twice, whatever became of their order.
    for (const { id, value } of (await clock.finish(p.results({ ...EVERYTHING, status: 'completed' }))).rows) {
      const way = ((value as { way?: string[] }).way ?? []).filter((stage) => stage !== 'X');
      expect(new Set(way).size, `${id} went ${way}`).toBe(way.length);
    }
    // Nothing is counted that is not waited for any more.
    expect(unstoredOf(world.life.host)).toMatchObject({ items: 0, characters: 0, isFull: false });
    await world.end('stop');
  } catch (error) {
    (error as Error).message = `seed ${seed}, after ${world.steps.join(' ')}: ${(error as Error).message}`;
    throw error;
  }
}
