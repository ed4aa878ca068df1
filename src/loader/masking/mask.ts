import { createFinder, type Finding } from './finder.ts';
import { patternsOf } from './patterns.ts';

/**
 * Takes secrets out of texts, in whatever they are wrapped; what cannot be found is in SECURITY.md. Where two overlap, one mask covers both:
 * with the first one alone gone, the rest of the other would be seen.
 */
export function createMask(secrets: Readonly<Record<string, string>>, lengthMin: number): (text: string) => string {
  const entries = Object.entries(secrets);
  if (entries.length === 0) return (text) => text;
  const find = createFinder(entries.flatMap(([name, value]) => patternsOf(name, value, lengthMin)));
  const tokens = entries.map(([name]) => tokenOf(name));
  return (text) => {
    const found = find(text);
    return found.length === 0 ? text : replaced(text, merged(found.filter((each) => !isInToken(text, each, tokens))));
  };
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

function replaced(text: string, found: readonly Finding[]): string {
  let masked = '';
  let from = 0;
  for (const { start, end, name } of found) {
    masked += text.slice(from, start) + tokenOf(name);
    from = end;
  }
  return masked + text.slice(from);
}
