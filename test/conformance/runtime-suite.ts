import { describe, expect, it } from 'vitest';
import { appending } from './sections/appending.ts';
import { creating } from './sections/creating.ts';
import { done } from './sections/done.ts';
import { ending } from './sections/ending.ts';
import { errors } from './sections/errors.ts';
import { events } from './sections/events.ts';
import { feeding, openFeeding } from './sections/feeding.ts';
import { feeds, following } from './sections/feeds.ts';
import { flow } from './sections/flow.ts';
import { hooks } from './sections/hooks.ts';
import { itemWaits } from './sections/item-waits.ts';
import { joining } from './sections/joining.ts';
import { known } from './sections/known.ts';
import { limits } from './sections/limits.ts';
import { looking } from './sections/looking.ts';
import { operations } from './sections/operations.ts';
import { pages } from './sections/pages.ts';
import { pausing } from './sections/pausing.ts';
import { redefining, tuning } from './sections/redefining.ts';
import { rejects } from './sections/rejects.ts';
import { removing } from './sections/removing.ts';
import { repeating } from './sections/repeating.ts';
import { resuming } from './sections/resuming.ts';
import { retention } from './sections/retention.ts';
import { retries } from './sections/retries.ts';
import { runStreams, runWaits } from './sections/run-streams.ts';
import { running } from './sections/running.ts';
import { selecting } from './sections/selecting.ts';
import { traces } from './sections/traces.ts';
import { values } from './sections/values.ts';
import { waiting } from './sections/waiting.ts';
import { type MakeHost, openWorld, type Suite } from './world.ts';

export type { MakeHost } from './world.ts';

/** What a runtime cannot do, and why: tests by their full title, `<operation> > <behaviour>`. */
export interface Skip {
  reason: string;
  tests: string[];
}

const SECTIONS = {
  create: creating,
  feed: feeding,
  openFeed: openFeeding,
  run: running,
  'run with limits': runWaits,
  openRun: runStreams,
  'run with known ids': known,
  feeds,
  followFeed: following,
  waitForItems: itemWaits,
  'repeated under a key': repeating,
  'gone on with under a key': resuming,
  'appended to': appending,
  onDone: done,
  traces,
  values,
  'the order of items': flow,
  retention,
  retries,
  'skipping and hooks': hooks,
  limits,
  pause: pausing,
  join: joining,
  shutdown: ending,
  'stats and workers': looking,
  'results and items': pages,
  rejects,
  'errors and history': errors,
  waitingFor: waiting,
  'cancel and retry': operations,
  'groups and selections': selecting,
  events,
  put: redefining,
  'tune and untune': tuning,
  remove: removing,
} satisfies Record<string, (suite: Suite) => void>;

type Section = keyof typeof SECTIONS;
const EVERY_SECTION = Object.keys(SECTIONS) as Section[];

/**
 * Everything that the contract in src/engine/contract/runtime.ts promises, for any runtime:
 *
 *     runtimeSuite('the local runtime', ({ registry }) => createLocalHost({ registry, … }), { skip: [] });
 *
 * It knows the contract and nothing behind it. It runs in real time and never sleeps: it waits for events, and for tasks
 * that the test itself holds and lets go. A test is skipped only by name and with a reason, which stands in its title.
 * `only` names sections: for a runtime that has passed them all in another setting.
 */
export function runtimeSuite(name: string, makeHost: MakeHost, { skip, only }: { skip: Skip[]; only?: Section[] }): void {
  const reasons = new Map(skip.flatMap(({ reason, tests }) => tests.map((test) => [test, reason] as const)));
  describe(name, () => {
    for (const operation of only ?? EVERY_SECTION) {
      const section = SECTIONS[operation];
      const test: Suite['test'] = (title, body) => {
        const key = `${operation} > ${title}`;
        const reason = reasons.get(key);
        if (reasons.delete(key)) it.skip(`${title} — SKIPPED: ${reason}`, body);
        else it(title, body);
      };
      describe(operation, () => section({ test, world: (extras) => openWorld(makeHost, extras) }));
    }
    if (skip.length > 0) it('skips only tests that exist', () => expect([...reasons.keys()]).toEqual([]));
  });
}
