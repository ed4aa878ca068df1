/** Which definition of a pipeline holds after a start: that of its file, or that which was put over the API. */
import { expect, it } from 'vitest';
import { livesOf } from './durable-host.ts';

const definition = (workers: number) => ({ id: 'p', stages: [{ name: 'A', workers, tasks: ['pass'] }] });
const workersOf = async (host: { get(id: string): { describe(): Promise<{ definition: { stages: { workers: number }[] } }> } }) =>
  (await host.get('p').describe()).definition.stages[0]?.workers;

it.each(['stop', 'crash'] as const)('what was put over the API stays until the file says something else, over a %s', async (how) => {
  const lives = livesOf({ pass: (value) => value });
  let life = await lives.begin({}, [definition(1)]);
  await life.host.put('p', { stages: definition(2).stages });
  await life[how]();
  life = await lives.begin({}, [definition(1)]);
  expect(await workersOf(life.host)).toBe(2);
  await life[how]();
  life = await lives.begin({}, [definition(3)]);
  expect(await workersOf(life.host)).toBe(3);
  await life[how]();
  // Whoever goes back to the first file has edited it as well.
  life = await lives.begin({}, [definition(1)]);
  expect(await workersOf(life.host)).toBe(1);
  await life.stop();
});

it('a pipeline stays when its file is gone, and comes again, empty, when only the API has removed it', async () => {
  const lives = livesOf({ pass: (value) => value });
  let life = await lives.begin({}, [definition(1)]);
  await life.host.get('p').run([{ id: 'a', value: 1 }], {});
  await life.stop();
  life = await lives.begin();
  expect(await life.host.get('p').stats()).toMatchObject({ itemsFed: 1 });
  await life.host.remove('p');
  await life.stop();
  life = await lives.begin({}, [definition(1)]);
  expect(await life.host.get('p').stats()).toMatchObject({ itemsFed: 0 });
  await life.stop();
});
