/** What the service does while it is recorded: three lives, the first of them the first on this disk; one ends as asked, the others with a kill. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, type ServerProcess, startServer } from '../../e2e/server.ts';
import { recordInto } from './recording.ts';

const STEP = `
export default { name: 'step', async run(value, ctx) {
  await new Promise((resolve) => setTimeout(resolve, value.text === undefined ? 1 : 15));
  return { ...value, way: [...(value.way ?? []), ctx.stage] };
} };
`;

export const WORK = {
  id: 'work',
  stages: [
    { name: 'One', workers: 3, tasks: ['step'] },
    { name: 'Two', workers: 3, tasks: ['step'] },
  ],
};

/** Its items are forgotten soon, so the file stays small while its log is filled. */
const BULK = { id: 'bulk', retention: { maxItems: 4 }, stages: [{ name: 'One', workers: 2, tasks: ['step'] }] };

/** So many of them that the log comes to 16 MB, at which it is copied into the file. */
const TEXTS = 32;
const TEXT = 'A power cut comes when it comes. '.repeat(6000);

/** The service on a disk that is recorded. */
export interface Recorded {
  /** Where its files are; nothing else is. */
  folder: string;
  records: string[];
  /** Ids that clients have seen acknowledged. The record has to have them all. */
  acknowledged: string[];
}

export async function recordService(scratch: string): Promise<Recorded> {
  const folder = join(scratch, 'disk');
  mkdirSync(folder);
  for (const name of ['tasks', 'pipelines']) mkdirSync(join(scratch, name));
  writeFileSync(join(scratch, 'tasks/step.mjs'), STEP);
  const env = {
    STORE_URL: `file:${join(folder, 'data/sluice.db')}`,
    TASKS_DIR: join(scratch, 'tasks'),
    PIPELINES: join(scratch, 'pipelines'),
    OUTPUT_DIR: join(scratch, 'output'),
  };
  const recorded: Recorded = { folder, records: [], acknowledged: [] };
  for (const [life, end] of (['SIGKILL', 'SIGTERM', 'SIGKILL'] as const).entries()) {
    const record = join(scratch, `record-${life}`);
    recorded.records.push(record);
    const server = await startServer(env, { under: recordInto(record) });
    if (life === 0) for (const definition of [WORK, BULK]) await server.post('/pipelines', definition);
    await work(server, life, recorded.acknowledged);
    server.signal(end);
    await server.exited;
  }
  return recorded;
}

/** Clients of one life, at the same time. */
async function work(server: ServerProcess, life: number, acknowledged: string[]): Promise<void> {
  const stream = await server.events('/pipelines/work/events');
  const ask = async (method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const answer = await server.call(method, `/pipelines/${path}`, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  };
  const feeds = async (): Promise<void> => {
    for (let n = 0; n < 15; n++) {
      const items = Array.from({ length: 4 }, (_, i) => ({ ...(n % 2 === 0 ? { id: `own-${life}-${n}-${i}` } : {}), n: i }));
      const headers = n % 2 === 0 ? {} : { 'idempotency-key': `key-${life}-${n}` };
      const { body } = await ask('POST', 'work/feed', { items }, headers);
      acknowledged.push(...(body.ids as string[]));
    }
  };
  const runs = async (): Promise<void> => {
    for (let n = 0; n < 8; n++) await ask('POST', 'work/run', { items: [{ id: `run-${life}-${n}`, n }] });
  };
  const tunes = async (): Promise<void> => {
    for (let n = 0; n < 6; n++) {
      await ask('PATCH', 'work/stages/Two', { workers: 2 + (n % 2), queueCapacity: 100 + life * 10 + n });
    }
  };
  const fills = async (): Promise<void> => {
    for (let n = 0; n < TEXTS; n += 4) {
      const items = Array.from({ length: 4 }, (_, i) => ({ id: `bulk-${life}-${n + i}`, text: TEXT }));
      await ask('POST', 'bulk/run', { items });
    }
  };
  await Promise.all([feeds(), runs(), tunes(), ...(life === 1 ? [fills()] : [])]);
  // A call that the kill cuts off is not recorded, though its answer may have come: when this one has, those of all before have come back.
  await server.get('/livez');
  stream.destroy();
}
