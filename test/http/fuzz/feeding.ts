import type { Random } from '../../engine/simulation/random.ts';
import type { KnownPipeline } from './known.ts';
import { encode, type Texts } from './texts.ts';

export interface FeedParts {
  query: string[];
  headers: Record<string, string>;
  body: Buffer;
}

const UNUSUAL_IDS = [
  'https://example.com/a?b=c&d=%20#e',
  '0',
  '1e3',
  '~',
  'a,b',
  'ключ',
  '\u{1f600}',
  'x'.repeat(512),
  'toString',
  '-1',
  'feed',
];

/** Items as clients send them, for one pipeline. */
export function createFeeding(random: Random, texts: Texts) {
  let lastId = 0;
  let lastFeed = 0;
  const keys: { key: string; body: Buffer; pipeline: KnownPipeline; query: string; type: string }[] = [];

  function idFor({ items }: KnownPipeline): string | number {
    if (random.chance(0.1) && items.size > 0) return random.pick([...items]);
    if (random.chance(0.03)) return random.pick(UNUSUAL_IDS);
    return random.chance(0.1) ? ++lastId : `i-${++lastId}`;
  }

  function itemFor(pipeline: KnownPipeline): unknown {
    const value = pipeline.attack?.value(random) ?? plainValue();
    if (pipeline.attack === null && random.chance(0.4)) return isNamed(value) ? { value } : value;
    return { id: idFor(pipeline), value, ...(random.chance(0.3) && { source: 'fuzz', tokens: random.int(1, 3) }) };
  }

  function plainValue(): unknown {
    for (;;) {
      const value = random.chance(0.5)
        ? { sku: 'A7', quantity: random.int(0, 9) }
        : random.pick<unknown>([texts.json(), 'skip', 'bad', null, 0, false, '']);
      // What no body may hold, in whatever place it stands.
      const text = JSON.stringify(value);
      if (!/__proto__|constructor|prototype|\\ud[89a-f]/i.test(text)) return value;
    }
  }

  return {
    /** A request that is to be accepted. */
    plausible(pipeline: KnownPipeline): FeedParts {
      const repeat = random.chance(0.02) ? keys.find((earlier) => earlier.pipeline === pipeline) : undefined;
      if (repeat !== undefined) {
        return { query: [repeat.query], headers: { 'content-type': repeat.type, 'idempotency-key': repeat.key }, body: repeat.body };
      }
      const isAttack = pipeline.attack !== null;
      const count = isAttack ? 1 : random.chance(0.02) ? 300 : random.int(1, 8);
      const items = Array.from({ length: count }, () => itemFor(pipeline));
      const options: Record<string, unknown> = {
        ...(random.chance(0.15) && { targetStage: random.pick(pipeline.stages) }),
        ...(random.chance(0.2) && { priority: random.int(0, 200) }),
        ...(random.chance(0.2) && { feedId: `f-${++lastFeed}` }),
        ...(random.chance(0.1) && { onDuplicate: random.pick(['skip', 'rerun']) }),
      };
      const isNdjson = random.chance(0.3);
      const type = isNdjson ? random.pick(['application/x-ndjson', 'application/jsonl']) : 'application/json';
      const query = isNdjson ? Object.entries(options).map(([name, value]) => `${name}=${encode(String(value))}`) : [];
      const newline = random.pick(['\n', '\r\n', '\n\n']);
      const text = isNdjson ? items.map((item) => JSON.stringify(item)).join(newline) : JSON.stringify({ items, ...options });
      const body = Buffer.from(text);
      const key = random.chance(0.05) ? `key-${lastFeed++}` : undefined;
      if (key !== undefined) keys.push({ key, body, pipeline, query: query.join('&'), type });
      if (keys.length > 50) keys.shift();
      return { query, headers: { 'content-type': type, ...(key !== undefined && { 'idempotency-key': key }) }, body };
    },
    plainValue,
  };
}

const isNamed = (value: unknown): boolean => typeof value === 'object' && value !== null && 'id' in value;
