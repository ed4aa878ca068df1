import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadedDefinition, LoadedLimiter } from '../loader/definitions.ts';
import type { DefinitionTest, Fixture } from './fixture.ts';
import { createHttpStandIns } from './http-stand-in.ts';
import { repeated } from './items.ts';
import { judge, type TestFault } from './judge.ts';
import { timedExpressions, timedTasks, timedThreads } from './timed-tasks.ts';
import { createVirtualTime } from './virtual-time.ts';
import { onTheClock, withoutRates } from './windows.ts';
import { hostOf, type Workshop } from './workshop.ts';

/** A definition with all that it needs of the others. */
export interface Tried {
  definition: LoadedDefinition['definition'];
  limiters: readonly LoadedLimiter[];
}

export interface TestOutcome {
  faults: TestFault[];
  /** How long it took, with all waits, of which none was waited for. */
  seconds: number;
  requests: number;
}

/** The same numbers in each run: the jitter of a wait is part of what is tested. */
function seededRandom(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}

/** Runs one test. Throws what is no result of it, such as a definition that is not valid. */
export async function runTest(
  workshop: Workshop,
  { definition, limiters }: Tried,
  test: DefinitionTest,
  fixture: Fixture,
): Promise<TestOutcome> {
  const time = createVirtualTime();
  const standIns = [...(test.http ?? []), ...fixture.http];
  const http = createHttpStandIns(standIns, time);
  const outputDir = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const own = new Set(workshop.own);
  const host = hostOf(workshop, {
    secrets: { ...fixture.secrets, ...test.secrets },
    builtIn: { outputDir, httpClient: http },
    tasks: (declarations) => withoutRates(timedTasks(declarations, own, time)),
    ports: ({ expressions, threads }) => ({
      clock: time,
      random: seededRandom(),
      ...(expressions !== undefined && { expressions: timedExpressions(expressions, time) }),
      ...(threads !== undefined && { threads: timedThreads(threads, time) }),
      hands: undefined,
    }),
  });
  try {
    const timed = onTheClock(definition, workshop.own);
    for (const { name, settings } of limiters) host.limiters.define(name, settings);
    for (const [name, settings] of Object.entries(timed.limits)) host.limiters.define(name, settings);
    const { targetStage, priority } = test;
    await time.finish(host.create(timed.definition));
    const answer = await time.finish(host.get(definition.id).run(repeated(test.items, test.repeat ?? 1), { targetStage, priority }));
    const seconds = time.passedMs / 1000;
    // What is told after the last result is part of it.
    await time.finish(host.shutdown('drain', 3600));
    return {
      faults: judge(answer, { test, http, seconds, all: standIns }),
      seconds,
      requests: sum(http.counts),
    };
  } finally {
    await time.finish(host.shutdown('force', 0));
    await rm(outputDir, { recursive: true, force: true });
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
