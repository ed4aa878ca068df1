import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PipelineMeter } from '../../src/engine/measures/pipeline-meter.ts';
import { StageMeter } from '../../src/engine/measures/stage-meter.ts';
import { type StageReading, StageTotals } from '../../src/engine/measures/stage-totals.ts';

const NAMES = ['A', 'B', 'C'];

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
  it('never fall, and are what was counted under it, whichever stages had it', () => {
    fc.assert(
      fc.property(moves, (made) => {
        const totals = new StageTotals();
        const pipeline = new PipelineMeter();
        const stages: { name: string; meter: StageMeter }[] = [];
        const counted = new Map(NAMES.map((name) => [name, { completed: 0, executions: 0, ms: 0 }]));
        const before = new Map<string, number[]>();
        for (const [now, move] of made.entries()) {
          const stage = stages[move.which % stages.length];
          if (move.do === 'make' || stage === undefined) {
            stages.push({ name: move.name, meter: new StageMeter(pipeline) });
          } else if (move.do === 'rename') {
            totals.leaves(stage.name, stage.meter);
            stage.name = move.name;
          } else if (move.do === 'remove') {
            totals.leaves(stage.name, stage.meter);
            stages.splice(stages.indexOf(stage), 1);
          } else {
            const ms = 3 ** (move.which % 17);
            stage.meter.ends('completed', { now });
            stage.meter.wait.record(ms, now);
            stage.meter.task('t').failed.record(ms);
            const own = counted.get(stage.name);
            if (own !== undefined) {
              own.completed++;
              own.executions++;
              own.ms += ms;
            }
          }
          for (const name of NAMES) {
            const read = totals.read(
              name,
              stages.filter((one) => one.name === name).map(({ meter }) => meter),
            );
            const { completed, executions, ms } = counted.get(name) ?? { completed: 0, executions: 0, ms: 0 };
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
