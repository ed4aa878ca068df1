/*
 * Finds the ends of the expressions in a text with templates. An expression may contain braces of its own: in objects, strings and regular
 * expressions.
 */

/** Estimated costs of a template, in tenths of a millisecond. */
const TEMPLATE_COST = 2;
const UNMATCHED_COST = 20;

/** The longest expression of a template. */
export const EXPRESSION_LENGTH_MAX = 16_384;
/** How many `}}`, from the first, are tried as ends beside the matching one: inside a regular expression, braces need not match. */
const OTHERS_TRIED = 2;

/** The places where the expression that begins at `start` may end, likeliest first; empty when nothing closes it. */
export function endsOf(text: string, start: number): number[] {
  const last = start + EXPRESSION_LENGTH_MAX;
  const ends: number[] = [];
  const matching = matchingEnd(text, start, Math.min(text.length, last + 2));
  if (matching >= 0) ends.push(matching);
  let end = text.indexOf('}}', start);
  for (let tried = 0; end >= 0 && end <= last && tried < OTHERS_TRIED; tried++) {
    if (end !== matching) ends.push(end);
    end = text.indexOf('}}', end + 1);
  }
  return ends;
}

/** The first `}}` outside every brace, string and comment of the expression; -1 when there is none. */
function matchingEnd(text: string, start: number, until: number): number {
  let depth = 0;
  for (let at = start; at < until; at++) {
    const character = text[at];
    if (character === '{') depth++;
    else if (character === '}') {
      if (depth === 0 && text[at + 1] === '}') return at;
      depth--;
    } else if (character === '"' || character === "'") at = endOfText(text, at, until);
    else if (character === '`') at = endOf(text, '`', at + 1, until);
    else if (character === '/' && text[at + 1] === '*') at = endOf(text, '*/', at + 2, until);
    if (depth < 0) return -1;
  }
  return -1;
}

function endOfText(text: string, from: number, until: number): number {
  for (let at = from + 1; at < until; at++) {
    if (text[at] === text[from]) return at;
    if (text[at] === '\\') at++;
  }
  return until;
}

function endOf(text: string, what: string, from: number, until: number): number {
  const found = text.indexOf(what, from);
  return found < 0 ? until : found + what.length - 1;
}

/** About how long it takes to compile the templates of a text, in tenths of a millisecond; counting ends once it exceeds `most`. */
export function textCost(text: string, most: number): number {
  let cost = 0;
  let from = text.indexOf('{{');
  while (from >= 0 && cost <= most) {
    const start = from + 2;
    const matching = matchingEnd(text, start, Math.min(text.length, start + EXPRESSION_LENGTH_MAX + 2));
    const end = matching < 0 ? text.indexOf('}}', start) : matching;
    cost += TEMPLATE_COST;
    if (end < 0) break;
    // An expression with unmatched braces is scanned to the end and then tried several times.
    cost += (end - from) / 32 + (matching < 0 ? UNMATCHED_COST : 0);
    from = text.indexOf('{{', end + 2);
  }
  return cost;
}
