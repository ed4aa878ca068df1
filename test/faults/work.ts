/**
 * What the kill test runs: a pipeline whose stages fail now and then, in both modes of retrying, under a rate limit, and tasks that
 * note each execution in a file, which outlives the process.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Notes the beginning and the end of each execution, by whole lines, with its worker and the life of the process in which it was; the
 * order of the lines is the order of what happened. The first execution of some items fails, and some items fail for good.
 */
const NOTED = `
import { appendFileSync } from 'node:fs';
const note = (what, ctx) => appendFileSync(process.env.EXECUTIONS, JSON.stringify({ what, id: ctx.itemId, stage: ctx.stage, worker: ctx.worker, life: Number(process.env.LIFE) }) + '\\n');
export default {
  params: { type: 'object', properties: { ms: { type: 'number' }, fails: { type: 'number' } } },
  async run(value, ctx) {
    note('begin', ctx);
    await new Promise((resolve) => setTimeout(resolve, ctx.params.ms ?? 1));
    const hash = [...(ctx.itemId + ctx.stage)].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7);
    if (hash % 10 < (ctx.params.fails ?? 0) && ctx.attempt === 1) { note('fail', ctx); throw new Error('the first attempt fails'); }
    note('end', ctx);
    if (hash % 50 === 0) throw ctx.permanent('never');
    return { n: value.n, way: [...(value.way ?? []), ctx.stage] };
  },
};
`;

const PIPELINE = `
id: work
backlogCapacity: 20000
retention: { maxItems: 1000000 }
stages:
  - { name: One, workers: 4, tasks: [{ task: noted, with: { ms: 1, fails: 2 } }], retry: per_task, taskAttempts: 3, taskWaitSeconds: 0.02 }
  - { name: Two, workers: 4, tasks: [{ task: noted, with: { ms: 3, fails: 2 } }], retry: per_stage, stageAttempts: 3, taskWaitSeconds: 0.05, queueCapacity: 20 }
  - { name: Three, workers: 4, tasks: [{ task: noted, with: { ms: 1 } }], taskRateLimits: { noted: { limit: 400, perSeconds: 1 } } }
`;

/** The environment of a service for this work, in a folder of its own. */
export function workIn(folder: string): Record<string, string> {
  for (const name of ['tasks', 'pipelines']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'tasks/noted.mjs'), NOTED);
  writeFileSync(join(folder, 'pipelines/work.yaml'), PIPELINE);
  writeFileSync(join(folder, 'executions'), '');
  return {
    STORE_URL: `file:${join(folder, 'data/sluice.db')}`,
    TASKS_DIR: join(folder, 'tasks'),
    PIPELINES: join(folder, 'pipelines'),
    OUTPUT_DIR: join(folder, 'output'),
    EXECUTIONS: join(folder, 'executions'),
    EVENTS_KEPT: '1000000',
    MAX_DELIVERIES: '1000',
    LOG_LEVEL: 'info',
  };
}
