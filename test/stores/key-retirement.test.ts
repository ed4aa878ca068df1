/** Which idempotency keys go is the engine's to say; a store only does it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyRetirement } from '../../src/engine/durable/key-retirement.ts';
import type { StoredAnswer } from '../../src/engine/store.ts';
import { SEED as seed } from '../seed.ts';

/** A store's keys, and no more of it. */
class Keys {
  readonly rows = new Map<string, StoredAnswer>();
  /** How many rows were looked at. */
  read = 0;

  answerSize(key: string): number | undefined {
    const row = this.rows.get(key);
    return row === undefined ? undefined : Buffer.byteLength(row.answer ?? '');
  }

  answerTotals(): { count: number; bytes: number } {
    const bytes = [...this.rows.values()].reduce((sum, { answer }) => sum + Buffer.byteLength(answer ?? ''), 0);
    return { count: this.rows.size, bytes };
  }

  oldestAnswers(limit: number): { key: string; at: number; bytes: number }[] {
    const oldest = [...this.rows.values()].sort((a, b) => a.at - b.at).slice(0, limit);
    this.read += oldest.length;
    return oldest.map(({ key, at, answer }) => ({ key, at, bytes: Buffer.byteLength(answer ?? '') }));
  }

  apply({ answers, removedAnswers }: ReturnType<KeyRetirement['capture']>): void {
    for (const key of removedAnswers) if (!this.rows.delete(key)) throw new Error(`the key ${key} is removed and not there`);
    for (const answer of answers) this.rows.set(answer.key, answer);
  }
}

const answerOf = (key: string, at: number, answer: string | null = null): StoredAnswer => ({
  ...{ key, request: 'r', body: 'b', feed: 'f', answer, at },
});
const changed = (...answers: StoredAnswer[]): Map<string, StoredAnswer> => new Map(answers.map((answer) => [answer.key, answer]));

describe('idempotency keys', () => {
  it('are bounded by number, size and age, and the oldest go first', () => {
    const bounds = { most: 12, bytes: 60, ageMs: 100 };
    const key = fc.integer({ min: 0, max: 30 }).map(String);
    const answer = fc.option(fc.string({ unit: 'grapheme', maxLength: 12 }));
    const flush = fc.record({
      later: fc.integer({ min: 0, max: 40 }),
      set: fc.array(fc.tuple(key, answer), { maxLength: 8 }),
      forget: fc.array(key, { maxLength: 2 }),
      restarts: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(flush, { maxLength: 30 }), (flushes) => {
        const keys = new Keys();
        let now = 1000;
        let retirement = new KeyRetirement(keys, () => now, bounds);
        for (const { later, set, forget, restarts } of flushes) {
          now += later;
          if (restarts) retirement = new KeyRetirement(keys, () => now, bounds);
          const writes = changed(...set.map(([name, text]) => answerOf(name, now, text)));
          for (const name of forget) writes.set(name, { ...answerOf(name, 0), request: null });
          const before = [...keys.rows.values()];
          keys.apply(retirement.capture(writes));
          if (writes.size === 0) continue;
          for (const name of forget) expect(keys.rows.has(name)).toBe(false);
          for (const written of writes.values()) if (written.request !== null) expect(keys.rows.get(written.key)).toEqual(written);
          const { count, bytes } = keys.answerTotals();
          const untouched = before.filter(({ key: name }) => !writes.has(name));
          const stay = untouched.filter(({ key: name }) => keys.rows.has(name));
          // Whatever was written now stays; of the others, none that is too old, and none when there are too many of those alone.
          for (const { at } of stay) expect(at).toBeGreaterThan(now - bounds.ageMs);
          if (stay.length > 0) expect(count).toBeLessThanOrEqual(bounds.most);
          if (stay.length > 0 && count > 1) expect(bytes).toBeLessThanOrEqual(bounds.bytes);
          const gone = untouched.filter(({ key: name }) => !keys.rows.has(name));
          for (const { at } of gone) for (const other of stay) expect(other.at).toBeGreaterThanOrEqual(at);
          // None goes for nothing: with the newest of them there would be too many, too much, or it is too old.
          const newest = Math.max(...gone.map(({ at }) => at));
          const last = gone.filter(({ at }) => at === newest).map(({ answer: text }) => Buffer.byteLength(text ?? ''));
          if (gone.length > 0 && newest > now - bounds.ageMs)
            expect(count + last.length > bounds.most || bytes + last.reduce((a, b) => a + b, 0) > bounds.bytes).toBe(true);
        }
      }),
      { seed, numRuns: 500 },
    );
  });

  it('are looked at when one of them may have to go, a page at a time', () => {
    const keys = new Keys();
    let now = 0;
    const retirement = new KeyRetirement(keys, () => now, { most: 10_000, bytes: 1e9, ageMs: 86_400_000 });
    for (let i = 0; i < 10_000; i++) keys.apply(retirement.capture(changed(answerOf(`k${i}`, ++now))));
    expect(keys.read).toBeLessThanOrEqual(16);
    for (let i = 0; i < 100; i++) keys.apply(retirement.capture(changed(answerOf(`more${i}`, ++now))));
    expect(keys.rows.size).toBe(10_000);
    expect(keys.rows.has('k99')).toBe(false);
    expect(keys.rows.has('k100')).toBe(true);
    expect(keys.read).toBeLessThanOrEqual(16 * 102);
    // All of them are too old: they go in steps, with the keys that come.
    now += 86_400_001;
    keys.apply(retirement.capture(changed(answerOf('late', now))));
    expect(keys.rows.size).toBeLessThan(10_000);
    expect(keys.rows.size).toBeGreaterThanOrEqual(9_800);
  });
});
