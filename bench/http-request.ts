import { Agent, request } from 'undici';
import { createLocalHost, createTaskRegistry } from '../src/engine/index.ts';
import { systemPorts } from '../src/engine/ports.ts';
import { builtInTasks, expressionLanguage } from '../tasks/index.ts';
import { cpuMs, median, report } from './row.ts';
import { startServer } from './servers/child.ts';

/* The task http_request, in a pipeline and with its URL made from the item, against undici alone; CPU of the one that asks. */

const CONCURRENCY = 50;
const REQUESTS = 10_000;
const ROUNDS = 7;

const server = await startServer('plain');
const origin = `http://127.0.0.1:${server.port}`;
const agent = new Agent({ connections: CONCURRENCY });

async function alone(): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    while (next < REQUESTS) {
      const { statusCode, body } = await request(`${origin}/${next++}`, { dispatcher: agent });
      const answer = (await body.json()) as { id: number };
      if (statusCode !== 200 || answer.id !== 4711) throw new Error(`answered ${statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, loop));
}

const host = createLocalHost({
  registry: createTaskRegistry(builtInTasks({ outputDir: 'unused', httpAllowHosts: ['127.0.0.1'] })),
  ports: { ...systemPorts, expressions: expressionLanguage },
  ...{ maxStages: 8, maxWorkersPerStage: 1000, retentionMaxItems: 100, retentionMaxAgeSeconds: 60 },
  ...{ backlogCapacity: REQUESTS, eventsKept: 1024, hookTimeoutSeconds: 1 },
});
const tasks = [{ task: 'http_request', with: { url: `${origin}/{{ value }}`, response: 'json' } }];
await host.create({ id: 'p', stages: [{ name: 'Fetch', workers: CONCURRENCY, tasks }] });
async function pipeline(): Promise<void> {
  const { feedId } = await host.get('p').feed(
    Array.from({ length: REQUESTS }, (_, i) => i),
    {},
  );
  const { feed } = await host.get('p').waitForFeed(feedId, {});
  if (feed.completed !== REQUESTS) throw new Error(`${feed.completed} of ${REQUESTS} were answered`);
}

async function cost(work: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const before = cpuMs();
  await work();
  return cpuMs() - before;
}

const ratios: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const [first, second] = [await cost(alone), await cost(pipeline)];
  if (round > 0) ratios.push(first / second);
}
await server.stop();
const ratio = median(ratios);
report([
  {
    claim: `http_request with a templated URL, ${CONCURRENCY} at once: requests a CPU second against undici alone`,
    bar: '≥ 0.8',
    figure: ratio.toFixed(2),
    holds: ratio >= 0.8,
  },
]);
process.exit(0);
