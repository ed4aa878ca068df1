/** A place in a trace, as the two headers of https://www.w3.org/TR/trace-context/ name it: what is sent on to whoever is called. */
export interface TraceContext {
  /** In version 00, 55 characters. */
  readonly traceparent: string;
  /** Up to 512 characters. */
  readonly tracestate?: string;
}

/** Its version, both ids, flags, and what a later version may add. All-zero ids are invalid, and so is version ff. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.{0,256})?$/;
/** The flags that version 00 knows: sampled, and random trace id. */
const FLAGS = 0b11;

/** The standard asks to pass on as many characters at least; whatever is longer is left out as a whole, which it allows. */
const STATE_CHARACTERS = 512;
const STATE_MEMBERS = 32;
/** A key, with or without a tenant, and a value that does not end with a space. */
const MEMBER =
  /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * The place that a request's headers name. null when `traceparent` is absent or invalid; then `tracestate` means nothing either. An invalid
 * `tracestate` is left out. A header of a later version is read as far as version 00 goes, and becomes one of version 00.
 */
export function readTraceContext(traceparent: unknown, tracestate?: unknown): TraceContext | null {
  if (typeof traceparent !== 'string') return null;
  const [, version, traceId, parentId, flags, rest] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === undefined || (version === '00' && rest !== undefined)) return null;
  const own = version === '00' ? traceparent : `00-${traceId}-${parentId}-${knownFlags(flags as string)}`;
  const state = readState(tracestate);
  return state === undefined ? { traceparent: own } : { traceparent: own, tracestate: state };
}

function knownFlags(flags: string): string {
  return (Number.parseInt(flags, 16) & FLAGS).toString(16).padStart(2, '0');
}

/** The members of the list without the empty ones; undefined when there are none, or one of them is invalid. */
function readState(given: unknown): string | undefined {
  if (typeof given !== 'string' || given.length > STATE_CHARACTERS) return undefined;
  const members = given
    .split(',')
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '');
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  const isValid = members.length <= STATE_MEMBERS && keys.size === members.length && members.every((member) => MEMBER.test(member));
  return isValid && members.length > 0 ? members.join(',') : undefined;
}
