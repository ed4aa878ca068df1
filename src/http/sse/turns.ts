import { SluiceError } from '../../engine/index.ts';
import { type Clock, type Logger, unref } from '../../engine/ports.ts';
import type { SseReader } from './reader.ts';

/** Schedules the writers: first come, first served, one step each, and never for so long that the rest of the process waits. */
export interface Turns {
  /** Lines up a reader that has something to do; one that waits already keeps its place. */
  enqueue(reader: SseReader): void;
  /** Has the next turn taken soon, in a later turn of the event loop. */
  plan(): void;
  /** Takes it now, unless one is planned: for a caller that is in a turn of its own already. */
  begin(): void;
}

/** After so long the hub lets the rest of the process go on. */
const TURN_MS = 5;
/** How long a reader waits until the store is read again. */
const AGAIN_MS = 500;

export function createTurns({ clock, logger }: { clock: Clock; logger: Logger }): Turns {
  /** `queued` keeps each from being here twice. */
  let waiting: SseReader[] = [];
  let planned = false;

  function enqueue(reader: SseReader): void {
    if (reader.queued || !reader.ready) return;
    reader.queued = true;
    waiting.push(reader);
  }

  function plan(): void {
    if (planned || waiting.length === 0) return;
    planned = true;
    clock.defer(() => {
      planned = false;
      take();
    });
  }

  /** One step for everyone who waits. Who has more to do lines up for the next turn: a long replay hinders nobody. */
  function take(): void {
    const round = waiting;
    waiting = [];
    const until = clock.monotonic() + TURN_MS;
    let index = 0;
    for (; index < round.length && (index === 0 || clock.monotonic() < until); index++) {
      const reader = round[index] as SseReader;
      reader.queued = false;
      step(reader);
      // Not one that waits for the store.
      if (!reader.queued) enqueue(reader);
    }
    if (index < round.length) waiting = round.slice(index).concat(waiting);
    plan();
  }

  function step(reader: SseReader): void {
    try {
      reader.step();
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'store-unavailable') {
        tryAgain(reader);
        return;
      }
      logger.error({ err: error }, 'an event stream failed');
      reader.destroy();
    }
  }

  /** Lets a reader wait whose next event refers to what cannot be read now; it has missed nothing. */
  function tryAgain(reader: SseReader): void {
    reader.queued = true;
    const timer = clock.setTimer(() => {
      reader.queued = false;
      enqueue(reader);
      plan();
    }, AGAIN_MS);
    unref(timer);
  }

  return {
    enqueue,
    plan,
    begin() {
      if (!planned) take();
    },
  };
}
