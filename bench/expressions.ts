import compile from 'jsonata';
import { createLocalHost, createTaskRegistry, type TaskDeclaration } from '../src/engine/index.ts';
import { systemPorts } from '../src/engine/ports.ts';
import { builtInTasks, expressionLanguage } from '../tasks/index.ts';
import { plainData } from '../tasks/kit/plain-data.ts';
import { median, report } from './row.ts';

/*
 * What an expression costs the event loop, in a pipeline of one stage: CPU of the main thread alone, rounds interleaved. A path of
 * names is followed in the loop; anything else is evaluated in a process of its own, and is compared to the evaluation in the loop that it
 * replaced.
 */

const ITEMS = 20_000;
const ROUNDS = 7;
const WORKERS = 200;
const EXPRESSION = '{ "name": name, "total": $sum(lines.(price * quantity)) }';
const value = { name: 'Ada', customer: { id: 7 }, lines: [1, 2, 3].map((price) => ({ price, quantity: 2, text: 'some words of it' })) };

const task = (name: string, run: TaskDeclaration['run']): TaskDeclaration => ({
  name,
  kind: 'task',
  description: '',
  paramsSchema: null,
  parseParams: (given) => given,
  run,
});

let last: Promise<unknown> = Promise.resolve();
const compiled = compile(EXPRESSION, { timeout: 1000, stack: 2000, sequence: 1_000_000 });
/** As it was before: in the loop, one after the other. */
const inLoop = (input: unknown): Promise<unknown> => {
  const result = last.then(async () => plainData(await compiled.evaluate(input)));
  last = result;
  return result;
};

const host = createLocalHost({
  registry: createTaskRegistry([
    ...builtInTasks({ outputDir: 'unused', httpAllowHosts: [] }),
    task('echo', (given) => given),
    task('params', (_value, { params }) => params),
    task('in_loop', inLoop),
  ]),
  ports: { ...systemPorts, expressions: expressionLanguage },
  ...{ maxStages: 8, maxWorkersPerStage: 1000, retentionMaxItems: 100, retentionMaxAgeSeconds: 60 },
  ...{ backlogCapacity: ITEMS, eventsKept: 1024, hookTimeoutSeconds: 1 },
});

async function pipeline(id: string, use: object | string): Promise<() => Promise<void>> {
  await host.create({ id, collectResults: false, stages: [{ name: 'S', workers: WORKERS, tasks: [use] }] });
  const items = Array.from({ length: ITEMS }, () => value);
  return async () => {
    const { feedId } = await host.get(id).feed(items, {});
    const { feed } = await host.get(id).waitForFeed(feedId, {});
    if (feed.completed !== ITEMS) throw new Error(`${feed.completed} of ${ITEMS} were completed`);
  };
}

const contenders = {
  none: await pipeline('none', { task: 'params', with: { a: 'text' } }),
  template: await pipeline('template', { task: 'params', with: { a: '{{ value.customer.id }}' } }),
  echo: await pipeline('echo', 'echo'),
  path: await pipeline('path', { task: 'jsonata', with: { expression: 'customer.id' } }),
  apart: await pipeline('apart', { task: 'jsonata', with: { expression: EXPRESSION } }),
  before: await pipeline('before', 'in_loop'),
};
type Contender = keyof typeof contenders;

const costs = new Map<Contender, number[]>();
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, work] of Object.entries(contenders) as [Contender, () => Promise<void>][]) {
    globalThis.gc?.();
    const before = process.threadCpuUsage();
    await work();
    const { user, system } = process.threadCpuUsage(before);
    if (round > 0) costs.set(name, [...(costs.get(name) ?? []), (user + system) / ITEMS]);
  }
}
const cost = (name: Contender): number => median(costs.get(name) ?? []);
const ratio = (a: Contender, b: Contender): number =>
  median((costs.get(a) ?? []).map((each, i) => each / (costs.get(b)?.[i] ?? Number.NaN)));

const template = ratio('none', 'template');
const path = ratio('echo', 'path');
const apart = ratio('before', 'apart');
report([
  {
    claim: 'a template that is a path, items a CPU second of the event loop against none',
    bar: '≥ 0.6',
    figure: template.toFixed(2),
    holds: template >= 0.6,
  },
  {
    claim: 'jsonata with a path, items a CPU second of the event loop against a task that returns its value',
    bar: '≥ 0.7',
    figure: path.toFixed(2),
    holds: path >= 0.7,
  },
  {
    claim: `jsonata with an object and a sum, ${WORKERS} items at once, items a CPU second of the event loop against evaluation in it`,
    bar: '≥ 1',
    figure: `${apart.toFixed(2)} (${cost('apart').toFixed(0)} µs an item against ${cost('before').toFixed(0)} µs)`,
    holds: apart >= 1,
  },
]);
process.exit(0);
