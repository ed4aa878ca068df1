/** A run that names items of other feeds has their results, whatever becomes of these items before the run is over. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type PipelineRuntime, type TaskHandler } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { BUFFER_CHARACTERS } from '../../src/engine/values/sizes.ts';
import type { PipelineResult } from '../../src/schemas/item.ts';
import { createGate, virtualPipeline } from './harness.ts';

/** A pipeline in which `known` has ended with the value `first`; items wait at the gate. */
async function withKnown(options: Parameters<typeof virtualPipeline>[1] = {}, first: unknown = 'first') {
  const gate = createGate();
  const { pipeline } = virtualPipeline([{ name: 'A', workers: 3, tasks: [gate.task] }], options);
  await pipeline.start();
  const { runtime } = pipeline;
  const feed = async (id: string, onDuplicate?: 'rerun'): Promise<void> => {
    await runtime.feed([{ id }], onDuplicate === undefined ? {} : { onDuplicate });
    await gate.arrived(id);
  };
  await feed('known');
  gate.open('known', first);
  await runtime.waitForItems({ itemIds: ['known'], returnWhen: 'ALL_COMPLETED' });
  return { pipeline, runtime, gate, feed };
}

/** The same as the service has it, which measures values. */
async function hosted(task: TaskHandler, bounds: { documentCharacters?: number } = {}): Promise<PipelineRuntime> {
  const declaration = { name: 'task', kind: 'task' as const, description: '', paramsSchema: null, parseParams: () => undefined, run: task };
  const host = createLocalHost({
    registry: createTaskRegistry([declaration]),
    ports: systemPorts,
    ...{ retentionMaxItems: 100, retentionMaxAgeSeconds: 60, backlogCapacity: 100, eventsKept: 1024 },
    ...{ hookTimeoutSeconds: 1, maxStages: 10, maxWorkersPerStage: 100, maxValueBytes: 2 * BUFFER_CHARACTERS, ...bounds },
  });
  onTestFinished(async () => void (await host.shutdown('force', 1)));
  await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['task'] }] });
  return host.get('p');
}

const ITEMS = [{ id: 'known' }, { id: 'own' }];
const shown = (results: readonly { id: string; value: unknown }[]) => results.map(({ id, value }) => [id, value]);
const BOTH = [
  ['known', 'first'],
  ['own', 'second'],
];

describe('a known item that has ended, and is run again by another feed before the run is over', () => {
  it('is in the results of a stream of the library, while it is still being fed', async () => {
    const { pipeline, gate, feed } = await withKnown();
    async function* items() {
      yield ITEMS[0];
      await feed('known', 'rerun');
      yield ITEMS[1];
      await gate.arrived('own');
      gate.open('own', 'second');
    }
    const results: PipelineResult[] = [];
    for await (const result of pipeline.stream(items())) results.push(result);
    expect(shown(results)).toEqual(BOTH);
  });

  it.each(['rerun', 'retention'] as const)('is in those of a document (%s)', async (how) => {
    const { runtime, gate, feed } = await withKnown({ retention: { maxItems: how === 'rerun' ? 100 : 1 } });
    const results = runtime.run(ITEMS, {});
    await gate.arrived('own');
    await feed(how === 'rerun' ? 'known' : 'other', 'rerun');
    gate.open(how === 'rerun' ? 'known' : 'other', 'again');
    gate.open('own', 'second');
    expect(shown((await results).results)).toEqual(BOTH);
  });

  it('comes early in a stream, and is the last word on it', async () => {
    const { runtime, gate, feed } = await withKnown();
    const run = await runtime.openRun({});
    await run.push(ITEMS);
    await gate.arrived('own');
    await feed('known', 'rerun');
    const first = await run.read();
    expect(first.kind === 'results' && shown(first.results)).toEqual([BOTH[0]]);
    await run.end();
    gate.open('own', 'second');
    const second = await run.read();
    expect(second.kind === 'results' && shown(second.results)).toEqual([BOTH[1]]);
    expect(await run.read()).toMatchObject({ kind: 'done', duplicates: 1 });
  });

  it('is in a stream with what it becomes then, when there was no room for its result', async () => {
    const gate = createGate();
    const pipeline = await hosted(gate.task as TaskHandler);
    const feed = async (id: string, onDuplicate: 'skip' | 'rerun' = 'skip'): Promise<void> => {
      await pipeline.feed([{ id }], { onDuplicate });
      await gate.arrived(id);
    };
    for (const id of ['large', 'known']) {
      await feed(id);
      gate.open(id, 'x'.repeat(BUFFER_CHARACTERS));
      await pipeline.waitForItems({ itemIds: [id], returnWhen: 'ALL_COMPLETED' });
    }
    const run = await pipeline.openRun({});
    await run.push([{ id: 'large' }, { id: 'known' }]);
    await feed('known', 'rerun');
    await run.end();
    const first = await run.read();
    expect(first.kind === 'results' && first.results.map(({ id }) => id)).toEqual(['large']);
    const second = run.read();
    gate.open('known', 'again');
    const results = await second;
    expect(results.kind === 'results' && shown(results.results)).toEqual([['known', 'again']]);
    expect(await run.read()).toMatchObject({ kind: 'done' });
  });
});

describe('a known item that is waited for, and is run again before the run is over', () => {
  it.each(['run', 'library'] as const)('is in the results with its first end (%s)', async (how) => {
    const { pipeline, runtime, gate, feed } = await withKnown();
    await feed('known', 'rerun');
    const results = how === 'run' ? runtime.run(ITEMS, {}).then((answer) => answer.results) : pipeline.run(ITEMS);
    await gate.arrived('own');
    gate.open('known', 'first end');
    await runtime.waitForItems({ itemIds: ['known'], returnWhen: 'ALL_COMPLETED' });
    await feed('known', 'rerun');
    gate.open('own', 'second');
    expect(shown(await results).sort()).toEqual([['known', 'first end'], BOTH[1]]);
  });
});

it('a document run whose known items are too large for it is answered without them', async () => {
  const pipeline = await hosted((value) => value, { documentCharacters: 100 });
  const items = ['a', 'b', 'c'].map((id) => ({ id, value: 'x'.repeat(200) }));
  await pipeline.run(items, {});
  expect(await pipeline.run(items, {})).toMatchObject({ results: [], duplicates: 3, pending: { done: true } });
});
