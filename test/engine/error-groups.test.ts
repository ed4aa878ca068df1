import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GroupTally } from '../../src/engine/flow/error-groups.ts';
import { SEED as seed } from '../seed.ts';

const error = { type: 'Error', message: 'no', stage: 'Only', attempts: 1 };

it('a group tells its newest items, or knows that they have to be looked for, whatever fails and is taken back', () => {
  const step = fc.oneof(
    { weight: 2, arbitrary: fc.nat(40).map((at) => ({ at })) },
    { weight: 1, arbitrary: fc.nat(99).map((which) => ({ which })) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 150 }), (steps) => {
      const tally = new GroupTally();
      const failed: { id: string; at: number }[] = [];
      for (const [no, one] of steps.entries()) {
        if ('at' in one) {
          const entry = { id: `i${no}`, at: one.at };
          failed.push(entry);
          tally.add({ ...entry, error });
        } else {
          // The newest are taken back more often than others, as by whoever retries what the group tells.
          failed.sort((a, b) => a.at - b.at);
          const at = one.which < 80 ? failed.length - 1 : one.which % Math.max(1, failed.length);
          const [entry] = failed.splice(Math.max(0, at), 1);
          if (entry !== undefined) tally.remove({ id: entry.id, error });
        }
        const [group] = tally.view(1).groups;
        expect(group?.count ?? 0).toBe(failed.length);
        if (group === undefined || tally.isWorn) continue;
        const times = failed.map(({ at }) => at).sort((a, b) => b - a);
        const told = group.itemIds.map((id) => failed.find((entry) => entry.id === id)?.at);
        expect(told).toEqual(times.slice(0, 5));
        expect(group.lastAt).toBe(new Date(times[0] as number).toISOString());
      }
    }),
    { seed, numRuns: 200 },
  );
});
