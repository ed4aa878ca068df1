import type { ErrorCode } from '../../../src/schemas/problem.ts';
import type { StageTuning } from '../../../src/schemas/redefinition.ts';
import { checkNoTimers } from './checks.ts';
import { feedOne, feedSomehow, feedWhileJoining } from './feeding.ts';
import type { Life } from './life.ts';
import type { Random } from './random.ts';
import { randomRate } from './scenario.ts';
import { show } from './values.ts';
import type { Watch } from './watch.ts';
import type { World } from './world.ts';

const WEIGHTS = {
  advance: 30,
  feed: 16,
  cancel: 6,
  retry: 6,
  retryFailed: 2,
  tune: 6,
  pause: 2,
  resume: 4,
  pauseStage: 3,
  resumeStage: 5,
  shutdown: 2,
  start: 6,
  join: 1,
};

/** One random move. `advance` is the only one that lets time pass; each is followed by a look at everything. */
export async function randomMove(world: World, watch: Watch, afterTimer: () => void): Promise<void> {
  const random = world.moves;
  const name = random.weighted(WEIGHTS);
  const say = (what: string): void => {
    world.move = what;
    world.log.push(`${world.step} @${world.clock.monotonic()} [${world.pipeline.state}] ${what}`);
  };
  if (name === 'advance') {
    const ms = random.pick([0, 1, 5, 20, 100, 500, 3000]);
    say(`advance ${ms} ms`);
    await world.clock.advance(ms, afterTimer);
    return;
  }
  say(name);
  const what = name === 'feed' ? feedSomehow(world, random) : MOVES[name](world, random, watch);
  if (what !== undefined) say(what);
}

const MOVES: Record<
  Exclude<keyof typeof WEIGHTS, 'advance' | 'feed'>,
  (world: World, random: Random, watch: Watch) => string | undefined
> = {
  cancel: (world, random) => cancelSome(world, random),
  retry: (world, random) => {
    const failed = [...world.ledger.lives.values()].filter((life) => life.status === 'failed');
    if (failed.length === 0) return undefined;
    const life = random.pick(failed);
    const from = random.chance(0.4) ? random.pick(world.scenario.stages).name : undefined;
    const what = `retry ${life.id}${from === undefined ? '' : ` from ${from}`}`;
    life.isRetryRequested = true;
    const codes: ErrorCode[] = ['draining', 'item-not-found'];
    world.track(what, world.pipeline.runtime.retryItem(life.id, from), codes, undefined, () => {
      life.isRetryRequested = false;
    });
    return what;
  },
  retryFailed: (world, random) => {
    const stage = random.chance(0.5) ? undefined : random.pick(world.scenario.stages).name;
    const failed = [...world.ledger.lives.values()].filter(
      (life) => life.status === 'failed' && (stage === undefined || life.error?.stage === stage),
    );
    for (const life of failed) life.isRetryRequested = true;
    const forget = (): void => {
      for (const life of failed) life.isRetryRequested = false;
    };
    world.track('retry failed', world.pipeline.runtime.retryFailed(stage === undefined ? {} : { stage }), ['draining'], forget, forget);
    return `retry all ${failed.length} failed${stage === undefined ? '' : ` in ${stage}`}`;
  },
  tune: (world, random, watch) => tuneSome(world, random, watch),
  pause: (world) => {
    world.track('pause', world.pipeline.pause(), ['invalid-state']);
    return undefined;
  },
  resume: (world) => {
    world.track('resume', world.pipeline.resume(), ['invalid-state']);
    return undefined;
  },
  pauseStage: (world, random) => pauseSome(world, random),
  resumeStage: (world, random) => {
    const stage = random.pick(world.scenario.stages).name;
    world.track(`resume ${stage}`, world.pipeline.resumeStage(stage), []);
    return `resume stage ${stage}`;
  },
  shutdown: (world, random) => {
    const mode = random.pick(['graceful', 'graceful', 'force', 'drain'] as const);
    const timeoutSeconds = random.pick([undefined, 0, 0.1, 2]);
    const what = `shutdown ${mode}, timeout ${timeoutSeconds}`;
    world.ledger.shutdowns++;
    world.track(what, world.pipeline.shutdown(mode, timeoutSeconds), [], (report) => {
      if (report.leftQueued !== world.pipeline.getStats().itemsInFlight) world.report(9, `${what} reports ${show(report)}`);
      if (world.pipeline.state !== 'stopped') return;
      checkNoTimers(world, `after ${what}`);
      for (const [i, stage] of world.stages.entries()) {
        if (world.held(i) > 0) world.report(11, `after ${what}, ${world.held(i)} workers of ${stage.name} hold an item`);
      }
    });
    return what;
  },
  start: (world) => {
    world.track('start', world.pipeline.start(), ['already-running', 'invalid-state']);
    return undefined;
  },
  join: (world) => {
    const { state } = world.pipeline;
    if (state === 'created' || state === 'stopped') return 'no join: it does not run';
    joinTracked(world);
    feedWhileJoining(world);
    return 'join, and feed while joining';
  },
};

/** Invariant 8: it comes back, and nothing is in flight then. Cut short by a shutdown, it says so. */
export function joinTracked(world: World): void {
  const { ledger } = world;
  const stopsBefore = ledger.stops;
  world.track('join', world.pipeline.join(), ['shutting-down'], () => {
    const { itemsInFlight } = world.pipeline.getStats();
    if (ledger.stops === stopsBefore) world.report(8, `join returned from a pipeline that is ${world.pipeline.state}`);
    // A stopped pipeline takes items again, perhaps before this answer is read.
    if (itemsInFlight > ledger.fedSinceStop) world.report(8, `join returned with ${itemsInFlight} items in flight`);
  });
}

/** What a task may do to the pipeline that it runs in. */
export function meddle(world: World, watch: Watch, itemId: string): void {
  if (world.isEnding) return;
  const random = world.behaviour;
  const what = random.weighted({ cancelSelf: 2, cancel: 2, feed: 4, tune: 2, pause: 1 });
  world.log.push(`   @${world.clock.monotonic()} a task of ${itemId}: ${what}`);
  if (what === 'cancelSelf') cancel(world, world.ledger.lives.get(itemId));
  else if (what === 'cancel') cancelSome(world, random);
  else if (what === 'feed') feedOne(world, random);
  else if (what === 'tune') tuneSome(world, random, watch);
  else pauseSome(world, random);
}

function cancelSome(world: World, random: Random): string | undefined {
  const lives = [...world.ledger.lives.values()].filter((life) => !life.isFinal || random.chance(0.05));
  if (lives.length === 0) return undefined;
  const life = random.pick(lives);
  cancel(world, life);
  return `cancel ${life.id}`;
}

function cancel(world: World, life: Life | undefined): void {
  if (life === undefined) return;
  const { isFinal } = life;
  if (!isFinal) life.isCancelRequested = true;
  const codes: ErrorCode[] = isFinal ? ['item-final', 'item-not-found'] : [];
  world.track(`cancel ${life.id}`, world.pipeline.runtime.cancelItem(life.id), codes, () => {
    if (isFinal) world.report(10, `${life.id} was ${life.status}, and could be cancelled`);
  });
}

function pauseSome(world: World, random: Random): string {
  const stage = random.pick(world.scenario.stages).name;
  world.track(`pause ${stage}`, world.pipeline.pauseStage(stage), ['invalid-state']);
  return `pause stage ${stage}`;
}

function tuneSome(world: World, random: Random, watch: Watch): string {
  const index = random.int(0, world.scenario.stages.length - 1);
  const plan = world.plan(world.scenario.stages[index]?.name as string);
  const tuning: StageTuning = {};
  const names = [...new Set(plan.tasks.map((task) => task.name))];
  const some = <V>(make: () => V): Record<string, V> =>
    Object.fromEntries(names.filter(() => random.chance(0.5)).map((name) => [name, make()]));
  if (random.chance(0.5)) tuning.workers = random.int(1, 5);
  if (random.chance(0.3)) tuning.queueCapacity = random.int(1, 10);
  if (random.chance(0.3)) tuning.taskConcurrencyLimits = some(() => random.int(1, 3));
  if (random.chance(0.3) && !world.scenario.stages.some((stage) => stage.tasks.some((task) => task.computes)))
    tuning.taskRateLimits = some(() => randomRate(random));
  const what = `tune ${plan.name} ${show(tuning)}`;
  world.read();
  const running = names.map((name) => world.ledger.tasks.runningOf(index, name));
  Object.assign(plan, tuning);
  const bounds = world.bounds[index];
  if (tuning.workers !== undefined) bounds?.workers.change(tuning.workers, world.held(index));
  if (tuning.queueCapacity !== undefined) bounds?.handed.change(tuning.queueCapacity, world.stages[index]?.handed ?? 0);
  if (tuning.taskRateLimits !== undefined) watch.ratesChange(index);
  if (tuning.taskRateLimits !== undefined || tuning.taskConcurrencyLimits !== undefined) watch.limitsChange(index);
  for (const [i, { bound, count }] of running.entries()) bound.change(world.ledger.tasks.limitOf(index, names[i] as string), count);
  world.track(what, world.pipeline.tune(plan.name, tuning), []);
  return what;
}
