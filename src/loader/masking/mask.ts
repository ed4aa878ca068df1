import { createFinder, type Finding } from './finder.ts';
import { patternsOf } from './patterns.ts';

export interface Masks {
  /** Masks the secrets in any text. */
  mask(text: string): string;
  /**
   * Masks those in a line of JSON, which it stays: secrets are looked for in its strings, and not in numbers, `true`, `false` and `null`, which are what they are
   * for other reasons.
   */
  maskLine(line: string): string;
}

/**
 * Take secrets out of texts, in whatever they are wrapped; what cannot be found is in SECURITY.md. Where two overlap, one mask covers both:
 * with the first one alone gone, the rest of the other would be seen.
 */
export function createMasks(entries: readonly (readonly [name: string, value: string])[], lengthMin: number): Masks {
  if (entries.length === 0) return { mask: (text) => text, maskLine: (line) => line };
  const find = createFinder(entries.flatMap(([name, value]) => patternsOf(name, value, lengthMin)));
  const tokens = entries.map(([name]) => tokenOf(name));
  const findIn = (text: string): Finding[] => {
    const found = find(text);
    return found.length === 0 ? found : merged(found.filter((each) => !isInToken(text, each, tokens)));
  };
  return {
    mask: (text) => replaced(text, findIn(text)),
    maskLine(line) {
      const found = findIn(line);
      return found.length === 0 ? line : replaced(line, placed(line, found));
    },
  };
}

/**
 * The findings in a line of JSON without those that are no part of a string. One that goes over the ends of strings is a value that was logged as such: it
 * becomes a string, if it is whole.
 */
function placed(line: string, found: readonly Finding[]): Finding[] {
  const strings = [...line.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(({ index, 0: { length } }) => ({ start: index, end: index + length }));
  return found.flatMap((each) => {
    const touched = strings.filter(({ start, end }) => start < each.end && each.start < end);
    const [only] = touched;
    if (only === undefined) return [];
    if (touched.length === 1 && only.start < each.start && each.end < only.end) return [each];
    return [{ ...each, isValue: isJson(line.slice(each.start, each.end)) }];
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function tokenOf(name: string): string {
  return `[secret ${name}]`;
}

/** A mask that is there already stays whole: a secret that is a word of it would be told by what is missing. */
function isInToken(text: string, { start, end }: Finding, tokens: readonly string[]): boolean {
  return tokens.some((token) => {
    for (let at = Math.max(0, end - token.length); at <= start; at++) if (text.startsWith(token, at)) return true;
    return false;
  });
}

/** One of each that touch the same characters, called after the longest. */
function merged(found: Finding[]): Finding[] {
  found.sort((a, b) => a.start - b.start);
  const all: (Finding & { longest: number })[] = [];
  for (const { start, end, name } of found) {
    const last = all.at(-1);
    if (last === undefined || start >= last.end) {
      all.push({ start, end, name, longest: end - start });
      continue;
    }
    last.end = Math.max(last.end, end);
    if (end - start > last.longest) Object.assign(last, { name, longest: end - start });
  }
  return all;
}

function replaced(text: string, found: readonly (Finding & { isValue?: boolean })[]): string {
  if (found.length === 0) return text;
  let masked = '';
  let from = 0;
  for (const { start, end, name, isValue } of found) {
    masked += text.slice(from, start) + (isValue === true ? `"${tokenOf(name)}"` : tokenOf(name));
    from = end;
  }
  return masked + text.slice(from);
}
