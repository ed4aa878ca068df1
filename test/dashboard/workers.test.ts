/** What the cells of workers show between two snapshots, of which no event tells who waits for a limit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorkers } from '../../dashboard/state/workers.ts';
import type { WorkerState } from '../../src/schemas/stats.ts';

const STAGE = 'Call';
const since = (second: number): string => new Date(second * 1000).toISOString();
const waits = { reason: 'rate-limit', limiter: 'models', task: null, until: null } as unknown as WorkerState['waitingFor'];

/** A snapshot: of each worker the item that it has had since a second, and whether that waits. */
function snapshot(states: readonly (null | { item: string; at: number; waits: boolean })[]): Record<string, WorkerState> {
  return Object.fromEntries(
    states.map((state, i) => {
      const workerName = `W${i}`;
      const idle = { workerName, stage: STAGE, status: 'idle', currentItemId: null, currentTask: null, taskStatus: null };
      const busy = state && {
        status: 'busy',
        currentItemId: state.item,
        processingSince: since(state.at),
        waitingFor: state.waits ? waits : null,
      };
      return [workerName, { ...idle, processingSince: null, waitingFor: null, ...busy } as WorkerState];
    }),
  );
}

describe('cells of workers', () => {
  const shown = (workers: ReturnType<typeof createWorkers>): string =>
    [...(workers.byStage.value.get(STAGE) ?? [])].map(({ mode }) => mode[0]).join('');

  it('show as many that wait as the service counts, also while items come and go faster than snapshots', () => {
    const workers = createWorkers(() => undefined);
    workers.take(snapshot([0, 1, 2, 3].map((i) => ({ item: `i${i}`, at: i, waits: i >= 2 }))));
    expect(shown(workers)).toBe('rrll');
    // W0 and W1 are done and begin anew: they wait, and W2 and W3 have got what they waited for.
    for (const i of [0, 1]) {
      workers.end(`W${i}`, `i${i}`);
      workers.begin(`W${i}`, `j${i}`, since(10 + i));
    }
    expect(shown(workers)).toBe('llrr');
    workers.count(STAGE, 1);
    expect(shown(workers)).toBe('rlrr');
    workers.count(STAGE, 3);
    expect(shown(workers)).toBe('llrl');
    workers.count(STAGE, 0);
    expect(shown(workers)).toBe('rrrr');
  });

  it('of a stage without limits run as soon as they begin', () => {
    const workers = createWorkers(() => undefined);
    workers.take(snapshot([null, null]));
    workers.begin('W1', 'a', since(1));
    expect(shown(workers)).toBe('ir');
    workers.end('W1', 'a');
    expect(shown(workers)).toBe('ii');
  });

  it('keep what a snapshot knows of an item whose event comes after it', () => {
    const workers = createWorkers(() => undefined);
    workers.take(
      snapshot([
        { item: 'a', at: 1, waits: false },
        { item: 'b', at: 2, waits: true },
      ]),
    );
    workers.begin('W0', 'a', since(1));
    expect(shown(workers)).toBe('rl');
  });

  it('never show more that wait than are counted, and as many where so many have items', () => {
    const move = fc.oneof(
      fc.record({ kind: fc.constant('turn' as const), worker: fc.nat(5) }),
      fc.record({ kind: fc.constant('end' as const), worker: fc.nat(5) }),
      fc.record({ kind: fc.constant('count' as const), limited: fc.nat(6) }),
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const workers = createWorkers(() => undefined);
        workers.take(snapshot(new Array(6).fill(null)));
        let limited = 0;
        moves.forEach((one, at) => {
          if (one.kind === 'count') {
            limited = one.limited;
            workers.count(STAGE, limited);
          } else {
            const name = `W${one.worker}`;
            const item = workers.get(name)?.item;
            if (item != null) workers.end(name, item);
            if (one.kind === 'turn') workers.begin(name, `item ${at}`, since(at));
          }
          const all = workers.byStage.value.get(STAGE) ?? [];
          const waiting = all.filter(({ mode }) => mode === 'limited').length;
          expect(waiting).toBeLessThanOrEqual(limited);
          if (one.kind === 'count') expect(waiting).toBe(Math.min(limited, all.filter(({ item: has }) => has !== null).length));
        });
      }),
    );
  });
});
