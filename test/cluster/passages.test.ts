import { describe, expect, it } from 'vitest';
import { Passages } from '../../src/cluster/node/passages.ts';

describe('how far another node is behind', () => {
  it('is the time since the log passed its position', () => {
    const passages = new Passages();
    passages.note(10, 1000);
    passages.note(20, 2000);
    passages.note(30, 3000);
    expect(passages.lagMs(30, 9000)).toBe(0);
    expect(passages.lagMs(25, 9000)).toBe(6000);
    expect(passages.lagMs(10, 9000)).toBe(7000);
    expect(passages.lagMs(5, 9000)).toBe(8000);
  });

  it('counts as of when it said so: what came after that is not held against it', () => {
    const passages = new Passages();
    passages.note(10, 1000);
    passages.note(20, 2000);
    expect(passages.lagMs(10, 1900)).toBe(0);
    expect(passages.lagMs(10, 2100)).toBe(100);
  });

  it('takes bounded memory, and says at least what it still knows', () => {
    const passages = new Passages();
    for (let i = 1; i <= 100_000; i++) passages.note(i, i * 300);
    expect(passages.lagMs(0, 30_000_000)).toBeGreaterThan(4000 * 300);
    for (let i = 100_001; i <= 200_000; i++) passages.note(i, 30_000_300 + i);
    expect(passages.lagMs(199_999, 30_300_000)).toBeLessThan(100_000);
  });

  it('takes no notice of a position that goes back', () => {
    const passages = new Passages();
    passages.note(20, 1000);
    passages.note(10, 5000);
    expect(passages.lagMs(15, 6000)).toBe(5000);
  });
});
