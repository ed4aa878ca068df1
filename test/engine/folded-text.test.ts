import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldText } from '../../src/engine/values/folded-text.ts';
import { codePoint } from '../code-points.ts';

describe('folding a message', () => {
  it.each([
    ['HTTP 503', 'HTTP #'],
    ['order-4711 was refused', 'order-# was refused'],
    ['no row order_4711', 'no row #'],
    ['took 12.5ms of 300 ms', 'took # of #'],
    ['1,234,567 bytes, 80 % full', '#, # full'],
    ['took 5 seconds', 'took #'],
    ['no user 8f3a1b2c-abcd-4e5f-8a9b-0c1d2e3f4a5b', 'no user #'],
    ['at 2026-11-23T17:44:00.123Z', 'at #'],
    ['at 2026-11-23 17:44:00', 'at # #'],
    ['digest deadbeefcafe is known', 'digest # is known'],
    ['the cafe is dead', 'the cafe is dead'],
    ['connect ECONNREFUSED 10.0.0.1:5432', 'connect ECONNREFUSED #'],
    ["it must have required property 'quantity'", "it must have required property '…'"],
    ['no sku "A7" in `stock` nor “here” nor ""', 'no sku "…" in `…` nor “…” nor ""'],
    ["it can't and doesn't", "it can't and doesn't"],
    ["'it can't be' said", "'…' said"],
    ['an open " quote', 'an open " quote'],
    [
      'GET https://api.example.com/v1/orders/4711?key=a&b=c failed',
      'GET https://api.example.com/#/orders/# failed'.replace('# failed', '#?… failed'),
    ],
    ['see https://example.com/a?x, and wait', 'see https://example.com/a?… and wait'],
    ['is it there? yes', 'is it there? yes'],
    ["ENOENT: no such file or directory, open '/data/4711.json'", "ENOENT: no such file or directory, open '…'"],
    ['cannot read /var/lib/run-17/a.txt', 'cannot read /var/lib/run-#/a.txt'],
    ['line one\n  line\ttwo', 'line one line two'],
    ['Zeile 3 fehlt für Größe ä9', 'Zeile # fehlt für Größe #'],
    ['', ''],
  ])('of %j gives %j', (text, folded) => {
    expect(foldText(text)).toBe(folded);
  });

  const parts = fc.constantFrom(
    ...[
      '"',
      "'",
      '`',
      '“',
      '”',
      '«',
      '»',
      '?',
      '://',
      'https://a',
      ' ',
      '\n',
      '#',
      '…',
      '-',
      '.',
      ':',
      '/',
      ',',
      '%',
      'ms',
      's',
      'B',
      '4',
      '47',
      'deadbeef',
      'x',
      'é',
      '👍',
      '\u0301',
    ],
    '8f3a1b2c-abcd-4e5f-8a9b-0c1d2e3f4a5b',
  );
  const texts = fc.oneof(
    fc.array(parts, { maxLength: 40 }).map((all) => all.join('')),
    fc.string({ maxLength: 60 }),
    fc.string({ unit: codePoint, maxLength: 60 }),
  );

  it('twice is folding once', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const once = foldText(text);
        expect(foldText(once)).toBe(once);
      }),
      { numRuns: 5000 },
    );
  });

  it('makes one of messages that differ in a number', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        expect(foldText(`item ${a} failed after ${b} ms`)).toBe('item # failed after #');
      }),
    );
  });

  it.each([
    '"',
    "'",
    "a'",
    '`',
    '“',
    '#',
    '# ',
    '4 ',
    '4-',
    '4 ms ',
    'a-',
    'deadbeef-',
    'deadbee',
    '://',
    '?',
    '://?',
    '\n',
    '/',
    '…',
    '"a',
    "x 'y",
  ])('looks at each character of many %j a few times at most', (piece) => {
    const cost = (length: number): number => {
      const text = piece.repeat(Math.ceil(length / piece.length));
      const since = process.cpuUsage().user;
      foldText(text);
      return process.cpuUsage().user - since;
    };
    cost(10_000);
    // Eight times as long takes eight times as much; a quadratic one would take sixty-four times as much.
    expect(cost(160_000)).toBeLessThan(Math.max(100_000, 30 * cost(20_000)));
  });
});
