import { expect } from 'vitest';
import type { TaskContext } from '../../../src/engine/index.ts';
import { SOON, type Suite } from '../world.ts';

const ORDINARY: [name: string, value: unknown][] = [
  ['null', null],
  ['undefined', undefined],
  ['0', 0],
  ["''", ''],
  ['false', false],
  ['[]', []],
  ['{}', {}],
];

/** `undefined` reads as null where values are kept as JSON. */
const asRead = (value: unknown): unknown => value ?? null;

export function values({ test, world }: Suite): void {
  for (const retry of ['per_task', 'per_stage'] as const) {
    for (const [name, value] of ORDINARY) {
      test(`${name} is an ordinary value, fed and returned, through a retry in ${retry}`, async () => {
        const seen: unknown[] = [];
        const { pipeline } = await world({
          tasks: {
            look: (given: unknown, { attempt }: TaskContext) => {
              seen.push(given);
              if (attempt === 1) throw new Error('once');
              return given;
            },
          },
        });
        const stage = { retry, taskWaitSeconds: SOON };
        const p = await pipeline([
          { name: 'A', tasks: ['look'], ...stage },
          { name: 'B', tasks: ['look'], ...stage },
        ]);
        const { results } = await p.run([{ id: 'x', value }, value], {});
        expect(results.map((result) => [asRead(result.value), result.error])).toEqual([
          [asRead(value), null],
          [asRead(value), null],
        ]);
        expect(seen.map(asRead)).toEqual(Array.from({ length: 8 }, () => asRead(value)));
        expect(await p.stats()).toMatchObject({ itemsFed: 2, itemsProcessed: 2, itemsInFlight: 0 });
      });
    }
  }

  test('that are no JSON fail the item, for good, and say where', async () => {
    const { pipeline } = await world({ tasks: { big: () => ({ list: [1n] }) } });
    const p = await pipeline([{ name: 'A', tasks: ['big'] }]);
    const { results } = await p.run(['x'], {});
    expect(results[0]?.error).toMatchObject({ type: 'ValueNotJsonError', message: expect.stringContaining('/list/0'), attempts: 1 });
  });

  test('of other items are never touched by a task that changes its own', async () => {
    const { pipeline } = await world({
      tasks: {
        append: (value: { list: number[] }) => {
          value.list.push(value.list.length);
          return value;
        },
      },
    });
    const p = await pipeline([{ name: 'A', workers: 2, tasks: ['append', 'append'] }]);
    const { results } = await p.run([{ list: [] }, { list: [9] }], {});
    expect(results.map(({ value }) => value)).toEqual([{ list: [0, 1] }, { list: [9, 1, 2] }]);
  });
}
