/** Integers that a JSON text spells out and a number cannot hold. The service refuses them, but for ids, whose digits it keeps; a test compares its rule with this one. */

const DIGITS_MIN = 16;

/** Whether a number of a JSON text is an integer that a number does not write again as it was read. */
export function losesDigits(source: string): boolean {
  const digits = source.replace(/^-/, '');
  if (digits.length < DIGITS_MIN || !/^\d+$/.test(digits)) return false;
  const [mantissa = '', exponent] = String(Number(digits)).split('e+');
  return (exponent === undefined ? mantissa : mantissa.replace('.', '').padEnd(Number(exponent) + 1, '0')) !== digits;
}

/** The first such integer of an item, a line of valid JSON, that is not its id; null when there is none. */
export function lostIn(line: string): string | null {
  if (!/\d{16}/.test(line)) return null;
  const found: { holder: unknown; key: string; source: string }[] = [];
  const note = function (this: unknown, key: string, value: unknown, context?: { source?: string }): unknown {
    const source = context?.source;
    if (source !== undefined && typeof value === 'number' && losesDigits(source)) found.push({ holder: this, key, source });
    return value;
  };
  const item: unknown = JSON.parse(line, note as (this: unknown, key: string, value: unknown) => unknown);
  return found.find(({ holder, key }) => holder !== item || key !== 'id')?.source ?? null;
}
