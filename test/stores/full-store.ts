import {
  createLocalHost,
  createTaskRegistry,
  type LocalHost,
  type PipelineRuntime,
  type TaskContext,
  type TaskHandler,
} from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import { ended, reaches } from '../conformance/world.ts';
import type { Lives } from './durable-host.ts';

/*
 * A store that has one of everything, and a look at all that a start makes of it: what a later version, or another store, has to
 * read in the same way.
 */

/** How each item of {@link fillStore} fares: it is named by its value. */
const work: TaskHandler = (value: unknown, { signal }: TaskContext): unknown => {
  switch ((value as { to?: unknown } | null)?.to) {
    case 'change':
      return { changed: value };
    case 'undefined':
      return undefined;
    case 'null':
      return null;
    case 'fail':
      throw Object.assign(new RangeError('broken \ud800 "\u2028'), { permanent: true });
    case 'later':
      throw Object.assign(new Error('not now'), { retryAfterSeconds: 100_000_000 });
    case 'hang':
      return new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    default:
      return value;
  }
};
export const fullTasks = { work };

const deep = (levels: number): unknown => (levels === 0 ? 'bottom' : { in: [deep(levels - 1)] });
const hostile = { '\ud83d\ude00 \ud800': '\u0000\u2028"\\', ['__proto__']: 1, big: 2 ** 60, small: Number.MIN_VALUE, deep: deep(12) };
const stage = (name: string, more = {}) => ({ name, tasks: ['work'], taskAttempts: 2, taskWaitSeconds: 100_000, ...more });
const key = (name: string) => ({ key: name, request: 'the request', body: 'the body' });

export const FULL_OPTIONS = { retentionMaxItems: 20, retentionMaxAgeSeconds: 1_000_000_000, eventsKept: 2000 };

/** Leaves the file of `lives` as two crashes leave it, the second one while items run. */
export async function fillStore(lives: Lives): Promise<void> {
  let life = await lives.begin();
  await life.host.create({ id: 'p', stages: [stage('A', { workers: 30 }), stage('B', { retry: 'per_stage' })] });
  let p = life.host.get('p');
  await p.feed([{ id: 'hangs', value: { to: 'hang' } }], { feedId: 'hanging' });
  await reaches(p, 'hangs', 'in_progress');
  await life.crash();

  life = await lives.begin();
  p = life.host.get('p');
  await reaches(p, 'hangs', 'in_progress');
  const ends = ['change', 'undefined', 'null', 'fail', 'pass'].map((to) => ({ id: `to ${to}`, value: { to }, note: to, hostile }));
  await p.run([...ends, { id: 'naïve 😀', value: hostile }, 'without an id', 0, false, '', null], {
    feedId: 'ended',
    maker: 'somebody',
    idempotency: key('run'),
  });
  await p.feed([{ id: 'later', value: { to: 'later' }, hostile }], { feedId: 'later', priority: 7, idempotency: key('feed') });
  await reaches(p, 'later', 'retrying');
  await p.feed([{ id: 'stopped', value: { to: 'hang' } }], { feedId: 'cancelled' });
  await p.cancelItem('stopped');
  await p.pauseStage('B');
  await p.feed([{ id: 'handed over', value: { to: 'change' } }], { feedId: 'handed' });
  await reaches(p, 'handed over', 'queued');
  await p.tune('A', { workers: 31 });

  await life.host.create({ id: 'q', stages: [stage('X'), stage('Y'), stage('Z'), stage('gone')] }, { start: false });
  const q = life.host.get('q');
  await q.feed([{ id: 'own way', value: hostile }, 'second'], { priority: 2_097_151 });
  await q.feed([{ id: 'urgent', value: [[[]]] }], { priority: 0 });
  await q.feed(['in between'], { targetStage: 'gone' });
  await life.host.put('q', { stages: [stage('Y'), stage('X'), stage('W'), stage('Z')] }, { start: false });

  await life.host.create({ id: 'r', stages: [stage('only')] });
  const r = life.host.get('r');
  for (let i = 0; i < 26; i++) await r.feed([{ id: `r${i}`, value: { i } }], {});
  await ended(r, 26);
  await life.crash();
}

const ASKED_AT = Date.UTC(2027, 0, 1);

/** A host on a store at an instant that is always the same, which has taken up what it found and begins nothing. */
export async function openHost(store: Store): Promise<LocalHost> {
  const registry = createTaskRegistry([
    { kind: 'task', name: 'work', description: 'work', paramsSchema: null, parseParams: (given) => given, run: work },
  ]);
  const host = createLocalHost({
    maxStages: 64,
    maxWorkersPerStage: 100,
    backlogCapacity: 1000,
    hookTimeoutSeconds: 30,
    ...FULL_OPTIONS,
    registry,
    ports: { ...systemPorts, clock: { ...systemPorts.clock, now: () => ASKED_AT, monotonic: () => 0 } },
    store,
  });
  await host.recover();
  return host;
}

/** All that the host says of its pipelines, but for what depends on when it is asked: a line of JSON for each thing. */
export async function lookAt(host: LocalHost): Promise<string[]> {
  const lines: string[] = [];
  for (const { definition } of await host.list()) {
    const p = host.get(definition.id);
    for (const [what, things] of Object.entries(await thingsOf(p))) {
      for (const thing of things) lines.push(JSON.stringify([definition.id, what, thing]));
    }
  }
  return lines;
}

async function thingsOf(p: PipelineRuntime): Promise<Record<string, readonly unknown[]>> {
  const all = { after: 0, limit: 1000 };
  const types = new Set(['status', 'task', 'result', 'pipeline', 'feed'] as const);
  const results = await p.results({ ...all, status: 'all' });
  return {
    pipeline: [await p.describe(), await p.stats(), await p.errors(), { retired: results.retired }],
    feed: (await p.feeds(all)).rows,
    result: results.rows,
    item: await Promise.all((await p.items(all)).rows.map(({ id }) => p.item(id))),
    event: p.events.read(p.events.oldest - 1, 100_000, { types }).events,
  };
}
