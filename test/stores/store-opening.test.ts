/** A store whose disk does not let it be opened at first: see src/process/store-opening.ts. */
import { describe, expect, it } from 'vitest';
import { type Store, StoreTrouble } from '../../src/engine/store.ts';
import { StoreOpening } from '../../src/process/store-opening.ts';
import { collectingLogger, type LogLine } from '../engine/harness.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';

const STORE = {} as Store;

/** An opening whose attempts end as `outcomes` say: with a fault of the disk, an error, or (null) with the store. */
function openingOf(outcomes: (string | Error | null)[]) {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const told: (string | null)[] = [];
  let attempts = 0;
  const open = async (): Promise<Store> => {
    const outcome = outcomes[attempts++] ?? null;
    if (outcome instanceof Error) throw outcome;
    if (outcome !== null) throw new StoreTrouble(outcome);
    return STORE;
  };
  const opening = new StoreOpening({ open, clock, logger: collectingLogger(lines), tell: (trouble) => void told.push(trouble) });
  return { opening, clock, lines, told, attempts: () => attempts };
}

describe('a store that is opened', () => {
  it('at once is not worth a word', async () => {
    const { opening, lines, told } = openingOf([]);
    expect(await opening.attempt()).toBe(STORE);
    expect([lines, told]).toEqual([[], []]);
  });

  it('is tried again every half second, and each reason is told once', async () => {
    const { opening, clock, lines, told, attempts } = openingOf(['full', 'full', 'full', 'broken', 'broken', null]);
    expect(await opening.attempt()).toBeNull();
    const opened = opening.open();
    await clock.advance(499);
    expect(attempts()).toBe(1);
    await clock.advance(1);
    expect(attempts()).toBe(2);
    expect(await clock.finish(opened)).toBe(STORE);
    expect(clock.seconds).toBe(2.5);
    expect(told).toEqual(['full', 'broken', null]);
    expect(lines.map(({ level }) => level)).toEqual(['error', 'error', 'info']);
  });

  it('is tried no more when something is wrong that stays wrong', async () => {
    const { opening, clock, attempts } = openingOf(['full', new Error('not a database'), null]);
    expect(await opening.attempt()).toBeNull();
    await expect(clock.finish(opening.open())).rejects.toThrow('not a database');
    expect(attempts()).toBe(2);
    expect(clock.pending).toBe(0);
  });
});
