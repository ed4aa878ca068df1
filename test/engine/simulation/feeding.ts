import type { SluiceError } from '../../../src/engine/contract/errors.ts';
import type { FeedOptions, FeedReceipt } from '../../../src/schemas/control.ts';
import type { PipelineResult } from '../../../src/schemas/item.ts';
import type { ErrorCode } from '../../../src/schemas/problem.ts';
import type { FeedPlan, Raw } from './life.ts';
import type { Random } from './random.ts';
import { randomValue, show } from './values.ts';
import type { World } from './world.ts';

interface Batch {
  items: unknown[];
  plan: FeedPlan;
  options: FeedOptions & { feedId: string };
}

const REFUSED: readonly ErrorCode[] = ['draining', 'shutting-down', 'queue-full', 'duplicate-items'];

/** What a source of items throws in the middle. */
class SourceError extends Error {
  override name = 'SourceError';
}

/** Feeds by one of the ways there are; undefined when everything has been fed. */
export function feedSomehow(world: World, random: Random): string | undefined {
  if (world.itemsLeft <= 0 || world.isEnding) return undefined;
  const way = random.weighted({ feed: 6, all: 3, slowly: 3, writer: 2, run: 2 });
  const batch = makeBatch(world, random, way === 'slowly' || way === 'writer' ? 6 : 10);
  const { options, items } = batch;
  const what = `${way} ${options.feedId}: ${items.length} items, ${show(options)}`;
  const answered = (receipt: FeedReceipt): void => checkReceipt(world, batch, receipt, items.length);
  const refused = (error: SluiceError): void => checkRefusal(world, batch, error);
  switch (way) {
    case 'feed':
      world.track(what, world.pipeline.feed(items, options), REFUSED, answered, refused);
      break;
    case 'all':
      feedAll(world, batch, what, answered);
      break;
    case 'slowly': {
      const breaks = random.chance(0.1);
      const fed = world.pipeline.feedAsync(source(world, random, items, breaks), options).catch((error: unknown) => {
        if (!(error instanceof SourceError && breaks)) throw error;
        return undefined;
      });
      world.track(what, fed, REFUSED, (receipt) => receipt !== undefined && answered(receipt), refused);
      break;
    }
    case 'writer':
      world.track(what, write(world, random, items, options), REFUSED, answered, refused);
      break;
    case 'run':
      // One that finds the pipeline idle starts it, and shuts it down when it fails.
      if (world.pipeline.state === 'created' || world.pipeline.state === 'stopped') world.ledger.shutdowns++;
      world.track(what, world.pipeline.run(items, options), [...REFUSED, 'already-running', 'invalid-state'], (results) =>
        checkRun(world, batch, results),
      );
  }
  return what;
}

/** Feeds at once, from inside a task. */
export function feedOne(world: World, random: Random): void {
  if (world.itemsLeft <= 0 || world.isEnding) return;
  const batch = makeBatch(world, random, 2);
  const { items, options } = batch;
  world.track(`a task feeds ${options.feedId}`, world.pipeline.runtime.feed(items, options), REFUSED, (receipt) =>
    checkReceipt(world, batch, receipt, items.length),
  );
}

/** While the pipeline drains, nothing may come in. */
export function feedWhileJoining(world: World): void {
  const plan: FeedPlan = { id: world.newId('late'), stage: 0, priority: 100, raws: [], next: 0, lives: [] };
  world.ledger.feeds.set(plan.id, plan);
  const wasDraining = world.pipeline.state === 'draining';
  world.track('feeding while joining', world.pipeline.feed([1], { feedId: plan.id }), ['draining'], () => {
    if (wasDraining) world.report(8, 'a feed was accepted while the pipeline drained');
  });
}

function makeBatch(world: World, random: Random, most: number): Batch {
  const { scenario } = world;
  const count = Math.min(world.itemsLeft, random.int(1, most));
  world.itemsLeft -= count;
  // An id that comes twice in a feed has the same value both times: which of them is taken depends on when the first ends.
  const named = new Map<string, { item: unknown; raw: Raw }>();
  const fed = Array.from({ length: count }, () => {
    const made = randomItem(random);
    const { id } = made.raw;
    if (id === undefined) return made;
    const same = named.get(id) ?? made;
    named.set(id, same);
    return same;
  });
  const stage = random.chance(0.2) ? random.int(0, scenario.stages.length - 1) : 0;
  const priority = random.pick(scenario.priorities);
  const onDuplicate = random.pick(['skip', 'reject', 'rerun', undefined] as const);
  const plan: FeedPlan = {
    id: world.newId('feed'),
    stage,
    priority: priority ?? 100,
    raws: fed.map(({ raw }) => raw),
    next: 0,
    lives: [],
  };
  world.ledger.feeds.set(plan.id, plan);
  const options = {
    feedId: plan.id,
    ...(priority === undefined ? {} : { priority }),
    ...(onDuplicate === undefined ? {} : { onDuplicate }),
    ...(stage === 0 ? {} : { targetStage: scenario.stages[stage]?.name as string }),
  };
  return { items: fed.map(({ item }) => item), plan, options };
}

/** An item as it is fed, and what the engine is to make of it by AntFlow's rule. */
function randomItem(random: Random): { item: unknown; raw: Raw } {
  const value = randomValue(random);
  const id = `own-${random.int(1, 30)}`;
  const kind = random.weighted({ bare: 5, named: 3, payload: 1 });
  if (kind === 'bare') return { item: value, raw: { id: undefined, shown: show(value), metadata: '{}' } };
  if (kind === 'payload') {
    const payload = { id, size: random.int(1, 9) };
    return { item: payload, raw: { id, shown: show(payload), metadata: show({ size: payload.size }) } };
  }
  const metadata = random.chance(0.5) ? { owner: random.int(1, 9) } : {};
  return { item: { id, value, ...metadata }, raw: { id, shown: show(value), metadata: show(metadata) } };
}

function feedAll(world: World, batch: Batch, what: string, answered: (receipt: FeedReceipt) => void): void {
  const { plan, items, options } = batch;
  const wasDraining = world.pipeline.state === 'draining';
  const noneOf = (error: SluiceError): void => {
    if (plan.lives.length > 0) world.report(1, `${what} was refused (${error.code}), and ${plan.lives.length} were accepted`);
  };
  const taken = (receipt: FeedReceipt): void => {
    if (wasDraining) world.report(8, `${what} was accepted while the pipeline drained`);
    if (receipt.ids?.length !== items.length) world.report(1, `${what} was answered with ${receipt.ids?.length} ids`);
    answered(receipt);
  };
  world.track(what, world.pipeline.runtime.feed(items, options), REFUSED, taken, noneOf);
}

async function* source(world: World, random: Random, items: readonly unknown[], breaks: boolean): AsyncGenerator<unknown> {
  const breaksAt = breaks ? random.int(0, items.length) : -1;
  for (const [i, item] of items.entries()) {
    if (i === breaksAt) throw new SourceError('the source broke');
    if (random.chance(0.5)) await new Promise<void>((resolve) => world.clock.add(resolve, random.int(0, 300), 'task'));
    yield item;
  }
}

async function write(world: World, random: Random, items: readonly unknown[], options: FeedOptions): Promise<FeedReceipt> {
  const writer = await world.pipeline.runtime.openFeed(options);
  try {
    for (let at = 0; at < items.length; ) {
      const size = random.int(1, 4);
      await writer.push(items.slice(at, at + size));
      at += size;
    }
  } catch (error) {
    await writer.end();
    throw error;
  }
  return writer.end();
}

function checkReceipt(world: World, { plan }: Batch, receipt: FeedReceipt, count: number): void {
  const lives = plan.lives.length;
  if (receipt.accepted !== lives) world.report(1, `the receipt of ${plan.id} says ${receipt.accepted} accepted, ${lives} were queued`);
  if (receipt.accepted + receipt.duplicates !== count) {
    world.report(1, `the receipt of ${plan.id} says ${receipt.accepted} accepted and ${receipt.duplicates} duplicates of ${count}`);
  }
}

/** What was accepted before a refusal stays, and is told; nothing more comes of that feed. */
function checkRefusal(world: World, { plan }: Batch, error: SluiceError): void {
  const told = error.details.accepted;
  if (told !== undefined && told !== plan.lives.length) {
    world.report(1, `${plan.id} was refused with ${told} accepted, ${plan.lives.length} were queued`);
  }
}

function checkRun(world: World, { plan, items }: Batch, all: readonly PipelineResult[]): void {
  if (!world.scenario.collectResults) return;
  // Known ids are among the results, with what they have become in another feed, even when that was forgotten before the run was over.
  const there = new Set(all.map(({ id }) => id));
  for (const item of items) {
    const { id } = (item ?? {}) as { id?: unknown };
    if (typeof id === 'string' && !there.has(id)) world.report(1, `the results of run ${plan.id} have nothing of ${id}`);
  }
  const results = all.filter(({ feedId }) => feedId === plan.id);
  const sequences = results.map((result) => result.sequenceId);
  if (sequences.some((sequence, i) => i > 0 && sequence <= (sequences[i - 1] as number))) {
    world.report(3, `the results of run ${plan.id} come as ${sequences.join(', ')}`);
  }
  const got = results.map((result) => result.id).join(', ');
  const wanted = plan.lives.map((life) => life.id).join(', ');
  if (got !== wanted) world.report(1, `the results of run ${plan.id} are of ${got}, fed were ${wanted}`);
}
