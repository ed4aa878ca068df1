import { expect } from 'vitest';
import type { PipelineResult, PipelineRuntime } from '../../../src/engine/index.ts';
import { EVERYTHING, ended, eventsOf, named, type Suite } from '../world.ts';

/** Failed and cancelled items, and the values that they were fed with. */
export function rejects({ test, world }: Suite): void {
  /** `far` fails in the second stage, `near` in the first, `gone` is cancelled in the second. */
  async function rejected(): Promise<PipelineRuntime> {
    const { pipeline, held } = await world({
      tasks: {
        wrap: (value: { near?: true }, ctx) => {
          if (value.near) throw ctx.permanent('too near');
          return { wrapped: value };
        },
        hold: (value: { wrapped: { far?: true } }, ctx) => {
          if (value.wrapped.far) throw ctx.permanent('too far');
          return value;
        },
      },
    });
    const p = await pipeline([
      { name: 'A', tasks: ['wrap'] },
      { name: 'B', tasks: ['hold', 'gated'] },
    ]);
    await p.feed(
      [
        { id: 'far', value: { far: true }, customer: 7 },
        { id: 'near', near: true },
        { id: 'gone', value: { n: [1, 'two', null] } },
      ],
      { feedId: 'f' },
    );
    await held(1);
    await p.cancelItem('gone');
    await ended(p, 3);
    return p;
  }

  const INPUTS = [
    { id: 'far', value: null, input: { far: true } },
    { id: 'near', value: null, input: { id: 'near', near: true } },
    { id: 'gone', value: null, input: { n: [1, 'two', null] } },
  ];

  test('every result of one carries the value that was fed, wherever it is read', async () => {
    const p = await rejected();
    expect((await p.results({ ...EVERYTHING, status: 'all' })).rows).toMatchObject(INPUTS);
    expect((await p.results({ ...EVERYTHING, status: 'failed' })).rows).toMatchObject(INPUTS.slice(0, 2));
    expect((await p.results({ ...EVERYTHING, status: 'cancelled' })).rows).toMatchObject(INPUTS.slice(2));
    expect((await p.feedResults('f', { ...EVERYTHING, status: 'all' })).rows).toMatchObject(INPUTS);
    const followed: PipelineResult[] = [];
    for await (const rows of p.followFeed('f', { status: 'all', after: 0 })) followed.push(...rows);
    expect(followed).toMatchObject(INPUTS);
    const { done } = await p.waitForItems({ itemIds: ['far', 'near', 'gone'], returnWhen: 'ALL_COMPLETED' });
    expect(done).toMatchObject(INPUTS);
    expect((await p.run([{ id: 'far' }, { id: 'near' }, { id: 'gone' }], {})).results).toMatchObject(INPUTS);
    const events = eventsOf(p, { types: new Set(['result']) }).map(({ data }) => data as PipelineResult);
    expect(events.sort((a, b) => a.sequenceId - b.sequenceId)).toMatchObject(INPUTS);
  });

  test('completed ones carry none', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    const { results } = await p.run(named('a'), {});
    expect(results).toEqual([expect.not.objectContaining({ input: expect.anything() })]);
  });

  test('items in lists carry it when that is asked for, unless they have completed', async () => {
    const p = await rejected();
    await p.feed(named('waiting'), { targetStage: 'A' });
    const plain = await p.items(EVERYTHING);
    for (const row of plain.rows) expect(row).not.toHaveProperty('input');
    const { rows } = await p.items({ ...EVERYTHING, include: 'input', feedId: 'f' });
    expect(rows).toMatchObject(INPUTS.map(({ id, input }) => ({ id, input })));
    expect((await p.items({ ...EVERYTHING, include: 'input', status: ['failed'] })).rows).toHaveLength(2);
  });

  test('rejects that are fed as they are become the items that they were', async () => {
    const p = await rejected();
    const { rows } = await p.results({ ...EVERYTHING, status: 'all' });
    const again = JSON.parse(JSON.stringify(rows));
    expect(await p.feed(again, {})).toMatchObject({ accepted: 0, duplicates: 3 });
    await p.feed(again.slice(0, 2), { feedId: 'g', onDuplicate: 'rerun' });
    await ended(p, 5);
    const rerun = await p.results({ ...EVERYTHING, status: 'failed', feedId: 'g' });
    expect(rerun.rows).toMatchObject([
      { ...INPUTS[0], metadata: { customer: 7 } },
      { ...INPUTS[1], metadata: { near: true } },
    ]);
  });

  test('what only looks like one is a payload like any other', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    const like = { id: 'x', error: { type: 'T' }, input: 1, metadata: {}, sequenceId: 1 };
    const { results } = await p.run([like, { id: 'y', value: 2, error: null, input: 3, metadata: {}, sequenceId: 1, feedId: 'f' }], {});
    expect(results.map(({ value }) => value)).toEqual([like, 2]);
  });
}
