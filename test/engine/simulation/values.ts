import type { Random } from './random.ts';

/** A text that is equal for equal values and tells `undefined` and `null` apart; what the model compares. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (member === undefined ? '‹undefined›' : member)) ?? '‹undefined›';
}

/** A whole number that depends on the text alone (FNV-1a). */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

const EMPTY: readonly unknown[] = [null, undefined, 0, '', false];
/** Within a value there is no undefined that a store could keep. */
const EMPTY_IN_JSON: readonly unknown[] = [null, 0, '', false];

/** What a feeder or a task may bring along: often the values that are easily taken for "nothing". */
export function randomValue(random: Random, depth = 0): unknown {
  const kind = random.weighted({ empty: 3, number: 2, text: 2, list: depth > 1 ? 0 : 2, object: depth > 1 ? 0 : 3 });
  switch (kind) {
    case 'empty':
      return random.pick(depth === 0 ? EMPTY : EMPTY_IN_JSON);
    case 'number':
      return random.int(1, 1000);
    case 'text':
      return `text-${random.int(1, 1000)}`;
    case 'list':
      return Array.from({ length: random.int(0, 3) }, () => randomValue(random, depth + 1));
    case 'object': {
      const object: Record<string, unknown> = { n: random.int(1, 1000) };
      if (random.chance(0.5)) object.inner = randomValue(random, depth + 1);
      return object;
    }
  }
}

/** Changes a value in place, as deep as it goes; what an attempt may do and the next one must not see. */
export function spoil(value: unknown): void {
  if (Array.isArray(value)) {
    for (const member of value) spoil(member);
    value.push('spoilt');
  } else if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) spoil(member);
    (value as Record<string, unknown>).spoilt = true;
  }
}
