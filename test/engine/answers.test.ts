import { describe, expect, it } from 'vitest';
import { type KeptAnswer, RecentAnswers } from '../../src/engine/feeds/answers.ts';
import { VirtualClock } from './virtual-clock.ts';

const kept = (feedId: string, answer: string | null = null): KeptAnswer => ({ request: 'r', body: 'b', feedId, answer, sent: null });

describe('the answers that are kept in memory', () => {
  it('are the newest ten thousand', () => {
    const answers = new RecentAnswers(new VirtualClock());
    for (let i = 0; i < 10_010; i++) answers.set(`k${i}`, kept(`f${i}`));
    expect([answers.get('k9'), answers.get('k10')?.feedId, answers.get('k10009')?.feedId]).toEqual([undefined, 'f10', 'f10009']);
  });

  it('are of the last day, counted from when they were last set', async () => {
    const clock = new VirtualClock();
    const answers = new RecentAnswers(clock);
    answers.set('old', kept('old'));
    answers.set('again', kept('first'));
    await clock.advance(80_000_000);
    answers.set('again', kept('second'));
    expect(answers.get('old')?.feedId).toBe('old');
    await clock.advance(10_000_000);
    expect([answers.get('old'), answers.get('again')?.feedId]).toEqual([undefined, 'second']);
  });

  it('take 64 MiB at most, but the newest is kept however long it is', () => {
    const answers = new RecentAnswers(new VirtualClock());
    const text = 'x'.repeat(10_000_000);
    for (let i = 0; i < 10; i++) answers.set(`k${i}`, kept('f', text));
    expect(Array.from({ length: 10 }, (_, i) => answers.get(`k${i}`) !== undefined).indexOf(true)).toBe(4);
    answers.delete('k4');
    answers.set('more', kept('f', text));
    expect(answers.get('k5')).toBeDefined();
    answers.set('huge', kept('f', 'x'.repeat(70_000_000)));
    expect([answers.get('more'), answers.get('huge')?.feedId]).toEqual([undefined, 'f']);
    answers.set('small', kept('f'));
    expect([answers.get('huge'), answers.get('small')?.feedId]).toEqual([undefined, 'f']);
  });
});
