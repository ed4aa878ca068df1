import { type ReadonlySignal, signal } from '@preact/signals';
import type { WaitingFor, WorkerState } from './types.ts';

export type WorkerMode = 'idle' | 'running' | 'limited' | 'blocked';

export interface Worker {
  name: string;
  stage: string;
  mode: WorkerMode;
  item: string | null;
  task: string | null;
  since: string | null;
  waitingFor: WaitingFor | null;
}

/*
 * No event tells that a worker begins or ends to wait for a limit: snapshots do, and they are seconds apart. In between the cells keep to how many wait,
 * which the service counts. Who begins is the last to get what it waits for, and the first of those that wait is the next one to run.
 */

/**
 * The workers of a pipeline on display. Events come by the thousand a second, and a frame shows one state of each worker: they are written into
 * plain objects, and `frame` counts up once a frame in which any has changed.
 */
export interface Workers {
  /** By stage, in order. Replaced only when workers come or go. */
  readonly byStage: { value: ReadonlyMap<string, readonly Worker[]> };
  readonly frame: ReadonlySignal<number>;
  /** Those that changed since the frame before; emptied after it. */
  readonly changed: ReadonlySet<Worker>;
  get(name: string): Worker | undefined;
  take(states: Record<string, WorkerState>): void;
  /** An item is with a worker now. */
  begin(name: string, item: string, since: string): void;
  end(name: string, item: string): void;
  /** How many workers of a stage wait for limits, as the service has just counted them. */
  count(stage: string, limited: number): void;
  readonly size: number;
}

function modeOf({ status, waitingFor }: WorkerState): WorkerMode {
  if (status === 'idle') return 'idle';
  if (waitingFor === null) return 'running';
  return waitingFor.reason === 'next-stage-full' ? 'blocked' : 'limited';
}

/** `atNextFrame` calls back once, before the next frame is drawn. */
export function createWorkers(atNextFrame: (draw: () => void) => void): Workers {
  const byStage = signal<ReadonlyMap<string, readonly Worker[]>>(new Map());
  const frame = signal(0);
  const all = new Map<string, Worker>();
  const changed = new Set<Worker>();
  /** By stage: how many wait for limits, and who they are, in the order in which they began. */
  const limited = new Map<string, number>();
  const waiting = new Map<string, Set<Worker>>();
  let isDue = false;

  function note(worker: Worker): void {
    changed.add(worker);
    if (isDue) return;
    isDue = true;
    atNextFrame(() => {
      isDue = false;
      frame.value++;
      changed.clear();
    });
  }

  function waitingIn(stage: string): Set<Worker> {
    let found = waiting.get(stage);
    if (found === undefined) {
      found = new Set();
      waiting.set(stage, found);
    }
    return found;
  }

  /** Lets those run who have waited longest, until no more wait than were counted. */
  function settle(stage: string): void {
    const those = waitingIn(stage);
    for (const worker of those) {
      if (those.size <= (limited.get(stage) ?? 0)) return;
      those.delete(worker);
      Object.assign(worker, { mode: 'running', waitingFor: null });
      note(worker);
    }
  }

  /** After a snapshot: who waits, and how many. */
  function takeWaiting(): void {
    waiting.clear();
    const those = [...all.values()].filter(({ mode }) => mode === 'limited');
    for (const worker of those.sort((a, b) => ((a.since ?? '') < (b.since ?? '') ? -1 : 1))) waitingIn(worker.stage).add(worker);
    for (const { stage } of all.values()) limited.set(stage, waiting.get(stage)?.size ?? 0);
  }

  return {
    byStage,
    frame,
    changed,
    get: (name) => all.get(name),

    take(states) {
      const names = Object.keys(states);
      const isSame = names.length === all.size && names.every((name) => all.has(name));
      if (!isSame) {
        for (const name of all.keys()) if (states[name] === undefined) all.delete(name);
      }
      for (const name of names) {
        const state = states[name] as WorkerState;
        const mode = modeOf(state);
        const { stage, currentItemId: item, currentTask: task, processingSince: since, waitingFor } = state;
        const worker = all.get(name);
        if (worker === undefined) {
          all.set(name, { name, stage, mode, item, task, since, waitingFor });
        } else if (worker.mode !== mode || worker.item !== item || worker.task !== task) {
          Object.assign(worker, { stage, mode, item, task, since, waitingFor });
          note(worker);
        } else {
          worker.waitingFor = waitingFor;
        }
      }
      takeWaiting();
      if (!isSame) byStage.value = Map.groupBy(all.values(), ({ stage }) => stage);
    },

    get size() {
      return all.size;
    },

    begin(name, item, since) {
      const worker = all.get(name);
      // A snapshot may know of it already, and then knows more.
      if (worker === undefined || worker.item === item) return;
      Object.assign(worker, { mode: 'limited', item, task: null, since, waitingFor: null });
      const those = waitingIn(worker.stage);
      those.delete(worker);
      those.add(worker);
      note(worker);
      settle(worker.stage);
    },

    end(name, item) {
      const worker = all.get(name);
      if (worker === undefined || worker.item !== item) return;
      Object.assign(worker, { mode: 'idle', item: null, task: null, since: null, waitingFor: null });
      waitingIn(worker.stage).delete(worker);
      note(worker);
    },

    count(stage, count) {
      limited.set(stage, count);
      settle(stage);
      const those = waitingIn(stage);
      if (those.size >= count) return;
      // More wait than are shown so: those that began last.
      const running = [...all.values()].filter((worker) => worker.stage === stage && worker.mode === 'running');
      running.sort((a, b) => ((a.since ?? '') < (b.since ?? '') ? 1 : -1));
      for (const worker of running.slice(0, count - those.size).reverse()) {
        worker.mode = 'limited';
        those.add(worker);
        note(worker);
      }
    },
  };
}
