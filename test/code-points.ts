import fc from 'fast-check';

const LAST = 0x10ffff;
const SURROGATES_FROM = 0xd800;
const SURROGATES_TO = 0xdfff;
const SURROGATES = SURROGATES_TO - SURROGATES_FROM + 1;

/**
 * Any character of Unicode, as the unit of a `fc.string`. fast-check's own unit `binary` draws the same, but a string of it first makes a map of all of the million characters: seconds of processor
 * time in each process that draws one.
 */
export const codePoint: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: LAST - SURROGATES })
  .map((n) => String.fromCodePoint(n < SURROGATES_FROM ? n : n + SURROGATES));
