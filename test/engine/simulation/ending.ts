import { checkAll, checkNoTimers, checkQuick } from './checks.ts';
import type { Life } from './life.ts';
import { joinTracked } from './moves.ts';
import { show } from './values.ts';
import type { World } from './world.ts';

/** More timers than a run can need: beyond, something goes round in circles. */
const MOST_TIMERS = 20_000;

/** Starts and resumes everything, joins, and looks at what came out of it. */
export async function endRun(world: World): Promise<void> {
  world.move = 'the end';
  world.isEnding = true;
  world.log.push(`end @${world.clock.monotonic()} [${world.pipeline.state}]`);
  const { pipeline } = world;
  do {
    await until(world, 'what is under way settles', () => !isBetweenStates(world));
    if (pipeline.state === 'created' || pipeline.state === 'stopped') await settled(world, pipeline.start());
    if (pipeline.state === 'paused') await settled(world, pipeline.resume());
    for (const { name } of world.stages) await settled(world, pipeline.resumeStage(name));
    if (world.moves.chance(0.5))
      await until(world, 'every feed is accepted', async () => {
        // One may pause itself again before any time has passed: each time an item more has failed.
        while (world.stages.some(({ isPaused }) => isPaused)) {
          for (const { name, isPaused } of world.stages) if (isPaused) await settled(world, pipeline.resumeStage(name));
          await world.clock.settle();
        }
        return world.pending.size === 0 || pipeline.state !== 'running';
      });
    if (pipeline.state === 'running') joinTracked(world);
    await until(world, 'join and everything else is answered', () => world.pending.size === 0 && pipeline.state === 'stopped');
    // A slow source may have fed the pipeline after it had stopped.
  } while (pipeline.getStats().itemsInFlight > 0);
  checkNoTimers(world, 'at the end');
  // What is left are tasks that go on although they were given up.
  await until(world, 'every task is done', () => world.clock.next === Number.POSITIVE_INFINITY);
  checkAll(world);
  for (const what of world.spans?.open ?? []) world.report(10, `a span is left open at the end: ${what}`);
  checkEnds(world);
  checkResults(world);
  world.verdict();
}

function isBetweenStates(world: World): boolean {
  return world.pipeline.state === 'draining' || [...world.pending].some(({ what }) => what.startsWith('shutdown'));
}

async function until(world: World, what: string, isReached: () => boolean | Promise<boolean>): Promise<void> {
  await world.clock.settle();
  for (let n = 0; !(await isReached()); n++) {
    checkQuick(world);
    const hasFired = n < MOST_TIMERS && (await world.clock.step());
    if (hasFired) continue;
    checkAll(world);
    const waiting = [...world.pending].map((entry) => entry.what).join('; ');
    world.report(8, `it never comes about that ${what}; ${world.pipeline.state}, waiting for: ${waiting || 'nothing'}`);
    world.verdict();
  }
  checkQuick(world);
}

/** Every accepted item has ended once, its history is what the events said, and nothing is left behind. */
function checkEnds(world: World): void {
  const { runtime } = world.pipeline;
  for (const life of world.ledger.all) {
    if (!life.isFinal) world.report(1, `${life.id} was accepted and is still ${life.status} at the end`);
    const item = runtime.core.index.get(life.id);
    if (item === undefined || world.ledger.lives.get(life.id) !== life) continue;
    const history = runtime.core.events.history(item);
    const path = history.events.map((event) => event.status);
    if (!history.truncated && path.join() !== life.path.join()) {
      world.report(10, `the history of ${life.id} is ${path.join()}, the events were ${life.path.join()}`);
    }
  }
}

/** Invariant 3: what was completed comes back in feed order, with the values that came out of the last stage. */
function checkResults(world: World): void {
  const { pipeline, ledger, scenario } = world;
  const results = pipeline.results;
  const sequences = results.map((result) => result.sequenceId);
  if (sequences.some((sequence, i) => i > 0 && sequence <= (sequences[i - 1] as number))) {
    world.report(3, `results come as ${sequences.join(', ')}`);
  }
  if (!scenario.collectResults) return;
  const isCompleted = (life: Life): boolean => life.status === 'completed' || life.status === 'skipped';
  for (const { id, value, feedId } of results) {
    const life = ledger.lives.get(id);
    if (life === undefined || !isCompleted(life)) world.report(1, `there is a result of ${id}, which is ${life?.status}`);
    else if (show(value) !== life.taskValue) world.report(6, `the result of ${id} is ${show(value)}, ${life.taskValue} came out`);
    else if (feedId !== life.feed.id) world.report(1, `the result of ${id} names feed ${feedId}`);
  }
  if (scenario.retention.maxItems < 1000 || scenario.retention.maxAgeSeconds < 1e6) return;
  const wanted = ledger.all.filter((life) => isCompleted(life) && ledger.lives.get(life.id) === life);
  const got = results.map((result) => result.id).join();
  if (got !== wanted.map((life) => life.id).join())
    world.report(3, `results are of ${got}; completed in feed order: ${wanted.map((life) => life.id).join()}`);
}

/** What is answered when it is stored needs the turns in which that happens. */
async function settled(world: World, asked: Promise<void>): Promise<void> {
  await Promise.all([asked, world.clock.settle()]);
}
