import type { Item } from '../../../src/engine/model/model.ts';
import type { Parking } from '../../../src/engine/model/parking.ts';
import { PLACE_HANDED } from '../../../src/engine/model/places.ts';
import type { Due } from '../../../src/engine/time/due-queue.ts';
import type { World } from './world.ts';

/** Ways to break the engine, each with the invariant that it breaks: the simulation is worth what it finds of these. */
export const SABOTAGE: Record<string, { invariant: number; commit: (world: World) => void }> = {
  'an item gets lost between two stages': {
    invariant: 1,
    commit: ({ pipeline }) => {
      const { scheduler } = pipeline.runtime.core;
      const enqueue = scheduler.enqueue.bind(scheduler);
      let handed = 0;
      scheduler.enqueue = (item, place, hasBegun) => {
        if (place === PLACE_HANDED && ++handed === 3) return;
        enqueue(item, place, hasBegun);
      };
    },
  },
  'a queue serves the last instead of the first': {
    invariant: 3,
    commit: ({ stages }) => {
      for (const { queue } of stages) {
        const shift = queue.shift.bind(queue);
        queue.shift = () => {
          const all: Item[] = [];
          for (let item = shift(); item !== undefined; item = shift()) all.push(item);
          const last = all.pop();
          for (const item of all) queue.push(item.turn, item);
          return last;
        };
      }
    },
  },
  'a retry goes to the back of its queue': {
    invariant: 3,
    commit: ({ pipeline }) => {
      const { scheduler } = pipeline.runtime.core;
      const enqueue = scheduler.enqueue.bind(scheduler);
      scheduler.enqueue = (item, place) => enqueue(item, place);
    },
  },
  'a stage has a worker too many': {
    invariant: 4,
    commit: ({ stages }) => {
      for (const stage of stages) stage.resize(stage.workers.length + 1);
    },
  },
  'a stage that has paused itself goes on': {
    invariant: 4,
    commit: ({ pipeline }) => {
      const { breaker } = pipeline.runtime.core;
      const failed = breaker.failed.bind(breaker);
      breaker.failed = (worker, item, outcome) => {
        const pause = failed(worker, item, outcome);
        return pause === null
          ? null
          : () => {
              pause();
              item.stage.isOpen = true;
            };
      };
    },
  },
  'a stage takes more than its capacity': {
    invariant: 5,
    commit: ({ stages }) => {
      for (const stage of stages) stage.capacity = Number.POSITIVE_INFINITY;
    },
  },
  'a retry does not wait': {
    invariant: 6,
    commit: ({ pipeline, clock }) => {
      const { dues } = pipeline.runtime.core;
      const arm = dues.arm.bind(dues);
      dues.arm = (wait: Due | Parking) => arm('due' in wait ? Object.assign(wait, { at: clock.monotonic() }) : wait);
    },
  },
  'join returns at once': {
    invariant: 8,
    commit: ({ pipeline }) => {
      const join = pipeline.join.bind(pipeline);
      pipeline.join = () => {
        void join().catch(() => undefined);
        return Promise.resolve();
      };
    },
  },
  'a completion is counted twice': {
    invariant: 9,
    commit: ({ pipeline, stages }) => {
      const { ledger } = pipeline.runtime.core;
      const end = ledger.end.bind(ledger);
      ledger.end = (...args) => {
        end(...args);
        if (ledger.processed === 2 && stages[0] !== undefined) stages[0].completed++;
      };
    },
  },
  'an event is not written down': {
    invariant: 10,
    commit: ({ pipeline }) => {
      const { events } = pipeline.runtime.core;
      const status = events.status.bind(events);
      let written = 0;
      events.status = (...args) => {
        if (++written !== 10) status(...args);
      };
    },
  },
  'a timer is left behind': {
    invariant: 11,
    commit: ({ pipeline, clock }) => {
      const { ledger } = pipeline.runtime.core;
      const end = ledger.end.bind(ledger);
      ledger.end = (...args) => {
        clock.setTimer(() => undefined, 60_000);
        end(...args);
      };
    },
  },
};
