import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PipelineMeter } from '../../src/engine/measures/pipeline-meter.ts';
import { StageMeter } from '../../src/engine/measures/stage-meter.ts';
import { type StageReading, StageTotals } from '../../src/engine/measures/stage-totals.ts';

const NAMES = ['A', 'B', 'C'];

interface Counted {
  completed: number;
  executions: number;
  ms: number;
}
const WHATS = ['completed', 'executions', 'ms'] as const;
const none = (): Counted => ({ completed: 0, executions: 0, ms: 0 });
const plus = (a: Counted, b: Counted): Counted => ({
  completed: a.completed + b.completed,
  executions: a.executions + b.executions,
  ms: a.ms + b.ms,
});

type Move = { do: 'count' | 'rename' | 'remove' | 'make'; which: number; name: string };

const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.record({ do: fc.constantFrom('count', 'count', 'rename', 'remove', 'make'), which: fc.nat(), name: fc.constantFrom(...NAMES) }),
  { maxLength: 60 },
);

/** Everything that is counted, as one list of numbers. */
function numbersOf({ completed, failed, retried, wait, tasks }: StageReading): number[] {
  const executions = [...tasks].flatMap(([, { completed: ended, failed: threw }]) => [...ended.counts, ...threw.counts]);
  return [completed, failed, retried, ...wait.counts, ...executions];
}

describe('the counters of a name', () => {
  it('are what the stages have counted that have it, and those that had it last, and fall only when one takes them along to another', () => {
    fc.assert(
      fc.property(moves, (made) => {
        const totals = new StageTotals();
        const pipeline = new PipelineMeter();
        const stages: ({ name: string; meter: StageMeter } & Counted)[] = [];
        const former = new Map(NAMES.map((name) => [name, none()]));
        const before = new Map<string, number[]>();
        for (const [now, move] of made.entries()) {
          const stage = stages[move.which % stages.length];
          if (move.do === 'make' || stage === undefined) {
            stages.push({ name: move.name, meter: new StageMeter(pipeline), ...none() });
          } else if (move.do === 'rename') {
            totals.renamed(stage.name, move.name);
            before.delete(stage.name);
            if (move.name !== stage.name) {
              const [from, to] = [former.get(stage.name), former.get(move.name)];
              if (from && to) for (const what of WHATS) [from[what], to[what]] = [0, to[what] + from[what]];
            }
            stage.name = move.name;
          } else if (move.do === 'remove') {
            totals.leaves(stage.name, stage.meter);
            const own = former.get(stage.name);
            if (own) for (const what of WHATS) own[what] += stage[what];
            stages.splice(stages.indexOf(stage), 1);
          } else {
            const ms = 3 ** (move.which % 17);
            stage.meter.ends('completed', { now });
            stage.meter.wait.record(ms, now);
            stage.meter.task('t').failed.record(ms);
            stage.completed++;
            stage.executions++;
            stage.ms += ms;
          }
          for (const name of NAMES) {
            const read = totals.read(
              name,
              stages.filter((one) => one.name === name).map(({ meter }) => meter),
            );
            const { completed, executions, ms } = stages.filter((one) => one.name === name).reduce(plus, former.get(name) ?? none());
            const sum = (counts: readonly number[] = []): number => counts.reduce((a, b) => a + b, 0);
            const failed = read.tasks.get('t')?.failed;
            expect([read.completed, sum(read.wait.counts), sum(failed?.counts)]).toEqual([completed, completed, executions]);
            expect(failed?.sum ?? 0).toBeCloseTo(ms / 1000, 6);
            const numbers = numbersOf(read);
            for (const [i, number] of (before.get(name) ?? []).entries()) expect(numbers[i]).toBeGreaterThanOrEqual(number);
            before.set(name, numbers);
          }
        }
      }),
    );
  });

  it('are kept for the newest thousand of the names that no stage has any more', () => {
    const totals = new StageTotals();
    for (let i = 0; i < 1500; i++) {
      const meter = new StageMeter(new PipelineMeter());
      meter.ends('completed', { now: i });
      totals.leaves(`S${i}`, meter);
    }
    expect([totals.read('S0', []).completed, totals.read('S499', []).completed, totals.read('S500', []).completed]).toEqual([0, 0, 1]);
  });
});
