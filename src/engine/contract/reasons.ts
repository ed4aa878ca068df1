/*
 * An error often says only that something failed, and has the reason in `cause`, or in `errors` if several things were tried: `fetch failed`, or an
 * AggregateError without a text. What is shown of an error tells them too, so many and so deep that no error makes it long.
 */

/** The members of an error that are read. Anything may have been thrown, so each member may be anything. */
export interface ErrorLike {
  name?: unknown;
  message?: unknown;
  code?: unknown;
  cause?: unknown;
  errors?: unknown;
}

const DEPTH_MAX = 5;
/** How many of `errors` are told, and how many reasons in all. */
const ERRORS_TOLD = 5;
const REASONS_MAX = 8;
/** An error with reasons leaves this much of the whole to them, and at most a quarter; each has at most so much. */
const REASONS_LENGTH = 1024;

/** Types that say nothing about what went wrong, … */
const GENERIC: ReadonlySet<string> = new Set(['Error', 'AggregateError', 'NonError']);
/** … those that only say how to go on, … */
const STEERING: ReadonlySet<string> = new Set(['PermanentError', 'RetryAfterError']);
/** … and those whose type may be told by their reason. `fetch` wraps whatever it meets in a TypeError. */
const WRAPPERS: ReadonlySet<string> = new Set(['Error', 'AggregateError', 'TypeError']);

/** `show` takes secrets out of a text and cuts it to a length. */
export function messageOf(error: ErrorLike, length: number, show: (text: string, length: number) => string): string {
  let left = REASONS_MAX;
  const path: unknown[] = [];
  return tell(error, length, true).slice(0, length);

  function tell(told: ErrorLike, most: number, isOutermost = false): string {
    path.push(told);
    const all = path.length > DEPTH_MAX ? [] : reasonsOf(told).filter((reason) => !path.includes(reason));
    const own =
      show(String(told.message ?? ''), isOutermost && all.length > 0 ? most - Math.min(REASONS_LENGTH, Math.floor(most / 4)) : most) ||
      (codeOf(told) ?? '');
    const texts = new Set<string>();
    let untold = 0;
    for (const [i, reason] of all.entries()) {
      if (i >= ERRORS_TOLD || left <= 0) {
        untold = all.length - i;
        break;
      }
      left--;
      const text = isErrorLike(reason) ? tell(reason, REASONS_LENGTH) : show(String(reason), REASONS_LENGTH);
      if (text !== '' && !says(own, text)) texts.add(text);
    }
    path.pop();
    const reasons = [...texts].join('; ') + (untold > 0 && texts.size > 0 ? `; and ${untold} more` : '');
    return own === '' || reasons === '' ? own || reasons : `${own}: ${reasons}`;
  }
}

/** The name of an error, or that of its reason if its own says nothing and the reason's does; in place of a name that says nothing, the reason's code. */
export function typeOf(error: ErrorLike, depth = 0): string {
  const name = nameOf(error);
  if (!WRAPPERS.has(name) || depth >= DEPTH_MAX) return name;
  const reasons = reasonsOf(error);
  const types = new Set(reasons.slice(0, 100).map((reason) => specificType(reason, depth + 1)));
  const [only] = types;
  if (types.size === 1 && only !== undefined) return only;
  return (name === 'AggregateError' && reasons.length > 0 ? codeOf(error) : undefined) ?? name;
}

function specificType(reason: unknown, depth: number): string | undefined {
  if (!isErrorLike(reason)) return undefined;
  const type = typeOf(reason, depth);
  return GENERIC.has(type) || STEERING.has(type) ? codeOf(reason) : type;
}

/** `errors` of other errors are something else: faults of a form, say. A getter that throws hides what it would give. */
function reasonsOf(error: ErrorLike): unknown[] {
  try {
    const { cause, errors, message } = error;
    const isAggregate = error instanceof AggregateError || error.name === 'AggregateError' || message === '';
    return [...(isAggregate && Array.isArray(errors) ? errors : []), cause].filter((reason) => reason !== undefined && reason !== null);
  } catch {
    return [];
  }
}

/** Whether the words stand in the text, not as a part of other words. */
function says(text: string, words: string): boolean {
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1)) {
    if (!/\w/.test(text[at - 1] ?? '') && !/\w/.test(text[at + words.length] ?? '')) return true;
  }
  return false;
}

function isErrorLike(thrown: unknown): thrown is ErrorLike {
  return typeof thrown === 'object' && thrown !== null && (thrown instanceof Error || typeof (thrown as ErrorLike).message === 'string');
}

function nameOf({ name }: ErrorLike): string {
  return typeof name === 'string' && name !== '' ? name : 'Error';
}

/** As Node and most libraries write them: `ECONNREFUSED`, `UND_ERR_SOCKET`. */
function codeOf({ code }: ErrorLike): string | undefined {
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : undefined;
}
