/**
 * What the chaos runs: a pipeline whose stages fail now and then, in both modes of retrying, under a rate limit, one of them in threads, and tasks
 * that note each execution in a file, which outlives the process.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';

/**
 * Notes the beginning and the end of each execution, by whole lines, with its worker and the life of the process in which it was; the
 * order of the lines is the order of what happened. An item that is fed again under its id says so in its value: its executions are those of
 * another one. The first execution of some items fails, and some items fail for good.
 */
const noted = (isThreaded: boolean): string => `
import { appendFileSync } from 'node:fs';
export default {
  thread: ${isThreaded},
  params: { type: 'object', properties: { ms: { type: 'number' }, fails: { type: 'number' } } },
  async run(value, ctx) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const id = isObject && value.again > 0 ? ctx.itemId + '@' + value.again : ctx.itemId;
    const note = (what) => appendFileSync(process.env.EXECUTIONS, JSON.stringify({ what, pipeline: ctx.pipeline, id, stage: ctx.stage, worker: ctx.worker, life: Number(process.env.LIFE), us: Number(process.hrtime.bigint() / 1000n) }) + '\\n');
    note('begin');
    await new Promise((resolve) => setTimeout(resolve, ctx.params.ms ?? 1));
    const hash = [...(ctx.itemId + ctx.stage)].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7);
    if (hash % 10 < (ctx.params.fails ?? 0) && ctx.attempt === 1) { note('fail'); throw new Error('the first attempt fails'); }
    if (hash % 50 === 0) { note('fail'); throw ctx.permanent('never'); }
    note('end');
    return isObject ? { ...value, way: [...(value.way ?? []), ctx.stage] } : value;
  },
};
`;

const ONE: StageDefinitionInput = {
  name: 'One',
  workers: 4,
  tasks: [{ task: 'noted', with: { ms: 1, fails: 2 } }],
  taskWaitSeconds: 0.02,
};
const TWO: StageDefinitionInput = {
  name: 'Two',
  workers: 4,
  tasks: [{ task: 'noted', with: { ms: 3, fails: 2 } }],
  retry: 'per_stage',
  taskWaitSeconds: 0.05,
  queueCapacity: 20,
};
const THREE: StageDefinitionInput = {
  name: 'Three',
  workers: 4,
  tasks: [{ task: 'noted', with: { ms: 1 } }],
  taskRateLimits: { noted: { limit: 400, perSeconds: 1 } },
};
const IN_THREADS: StageDefinitionInput = { name: 'Three', workers: 2, tasks: [{ task: 'threaded', with: { ms: 1 } }] };
/** It comes and goes, with items in it. */
const EXTRA: StageDefinitionInput = { name: 'Extra', workers: 2, tasks: [{ task: 'noted', with: { ms: 5 } }], queueCapacity: 10 };

/** The stages that every item goes through once, whatever becomes of their order. */
export const STAGES = ['One', 'Two', 'Three'];

/** What the pipeline is made to be. The first is what it begins with. */
const SHAPES: StageDefinitionInput[][] = [
  [ONE, TWO, THREE],
  [ONE, EXTRA, TWO, THREE],
  [ONE, THREE, TWO],
  [ONE, TWO, EXTRA, IN_THREADS],
  [ONE, TWO, IN_THREADS],
];

export const shapeOf = (number: number) => ({
  id: 'work',
  backlogCapacity: 20_000,
  retention: { maxItems: 1_000_000 },
  stages: SHAPES[number % SHAPES.length] as StageDefinitionInput[],
});

/** The environment of a service for this work, in a folder of its own. `disk` is where its store is. */
export function workIn(folder: string, disk: string): Record<string, string> {
  for (const name of ['tasks', 'pipelines']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'tasks/noted.mjs'), noted(false));
  writeFileSync(join(folder, 'tasks/threaded.mjs'), noted(true));
  writeFileSync(join(folder, 'executions'), '');
  return {
    STORE_URL: `file:${join(disk, 'data/sluice.db')}`,
    TASKS_DIR: join(folder, 'tasks'),
    PIPELINES: join(folder, 'pipelines'),
    OUTPUT_DIR: join(folder, 'output'),
    EXECUTIONS: join(folder, 'executions'),
    EVENTS_KEPT: '1000000',
    MAX_DELIVERIES: '1000',
    LOG_LEVEL: 'info',
  };
}
