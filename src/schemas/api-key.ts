import { parseRequestRate, RATE_FORM, type RequestRate } from './request-rate.ts';

/**
 * The rights of a key: `read` observes; `feed` feeds items and follows them; `operate` starts, pauses, tunes, retries and cancels;
 * `admin` does everything, definitions and the end of the service included. `work` is for a hand, and opens nothing by itself.
 */
export const SCOPES = ['read', 'feed', 'operate', 'admin', 'work'] as const;
export type Scope = (typeof SCOPES)[number];

/** Options that a key with `feed` may use if allowed; a key that may operate the pipeline has them anyway. */
export const FEED_OPTIONS = ['targetStage', 'rerun', 'priority'] as const;
export type FeedOption = (typeof FEED_OPTIONS)[number];

/** A caller that is let in. The key itself is not known here, only its SHA-256. */
export interface ApiKey {
  name: string;
  scopes: ReadonlySet<Scope>;
  /** Lowercase, 64 characters. */
  sha256Hex: string;
  /** Only these pipelines; absent: all, and what belongs to none. */
  pipelines?: ReadonlySet<string>;
  /** In all its pipelines; absent: what each of them allows. */
  feedOptions?: ReadonlySet<FeedOption>;
  /** Absent: as many as keys in general may send. */
  requests?: RequestRate;
  /** Milliseconds since the Unix epoch; from then on it is refused. */
  expiresAt?: number;
}

const NAME = /^[A-Za-z0-9-]{1,64}$/;
const PIPELINE = /^[A-Za-z0-9._~:@-]{1,128}$/;

/**
 * Reads keys, one a line or separated by commas: `name:scope+scope:sha256-hex`, then fields such as `;pipelines=a+b` `;expires=2027-01-31`,
 * `;feedOptions=targetStage+rerun+priority` and `;requests=100/60`. Empty lines and those that begin with `#` are skipped. Faults say which key and what is wrong with it, and
 * never show its text.
 */
export function parseApiKeys(text: string): { keys: ApiKey[]; faults: string[] } {
  const keys: ApiKey[] = [];
  const faults: string[] = [];
  const entries = text.split(/[\n,]/).map((entry) => entry.trim());
  for (const [i, entry] of entries.filter((entry) => entry !== '' && !entry.startsWith('#')).entries()) {
    const { key, problems } = parseApiKey(entry);
    faults.push(...problems.map((problem) => `key ${i + 1} ${problem}`));
    if (problems.length === 0) keys.push(key);
  }
  return { keys, faults };
}

function parseApiKey(entry: string): { key: ApiKey; problems: string[] } {
  const [head = '', ...fields] = entry.split(';');
  const [name = '', scopes = '', sha256Hex = '', ...rest] = head.split(':');
  const problems: string[] = [];
  if (rest.length > 0 || sha256Hex === '') problems.push('must read name:scopes:sha256-hex');
  if (!NAME.test(name)) problems.push('must have a name of 1 to 64 letters, digits or "-"');
  const wanted = scopes.split('+');
  if (!wanted.every((scope): scope is Scope => (SCOPES as readonly string[]).includes(scope))) {
    problems.push(`must have scopes out of ${SCOPES.join(', ')}, joined by "+"`);
  }
  if (sha256Hex !== '' && !/^[0-9a-f]{64}$/i.test(sha256Hex))
    problems.push('must end with the SHA-256 of the whole key, 64 hexadecimal digits');
  const key: ApiKey = { name, scopes: new Set(wanted as Scope[]), sha256Hex: sha256Hex.toLowerCase() };
  for (const field of fields) problems.push(...readField(key, field));
  return { key, problems };
}

function readField(key: ApiKey, field: string): string[] {
  const [name = '', value = ''] = field.split('=', 2);
  if (name === 'pipelines') {
    const ids = value.split('+');
    if (!ids.every((id) => PIPELINE.test(id))) return ['has pipelines that are not valid ids'];
    key.pipelines = new Set(ids);
    return [];
  }
  if (name === 'expires') {
    const at = /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(at)) return ['has an expiry that is not a date such as 2027-01-31'];
    key.expiresAt = at;
    return [];
  }
  if (name === 'feedOptions') {
    const options = value.split('+');
    if (!options.every((option): option is FeedOption => (FEED_OPTIONS as readonly string[]).includes(option))) {
      return [`has feedOptions other than ${FEED_OPTIONS.join(', ')}, joined by "+"`];
    }
    key.feedOptions = new Set(options as FeedOption[]);
    return [];
  }
  if (name === 'requests') {
    const rate = parseRequestRate(value);
    if (rate === undefined) return [`has requests that ${RATE_FORM}`];
    key.requests = rate;
    return [];
  }
  return ['has a field that is neither "pipelines", "expires", "feedOptions" nor "requests"'];
}
