import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';

interface Span {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parent: string | null;
  links: { traceId: string; spanId: string }[];
  status: { code: number; message?: string };
  attributes: Record<string, string | number>;
}

let spans: Span[];
let seen: { path: string; traceparent: string }[];

beforeAll(async () => {
  const child = spawn(process.execPath, ['examples/tracing/index.ts'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, log, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once('close', resolve)),
  ]);
  expect(code, log).toBe(0);
  spans = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  seen = JSON.parse(log.trim().split('\n').at(-1) as string);
}, 60_000);

const shown = ({ name, attributes }: Span): string =>
  `${name} ${attributes['messaging.message.id'] ?? attributes['messaging.batch.message_count']}`;

describe('the example tracing', () => {
  it('has a span for the request, and one for each item in each stage that it came into', () => {
    expect(spans.map(shown).sort()).toEqual([
      'process pages/Fetch nowhere',
      'process pages/Fetch page',
      'process pages/Hash page',
      'send pages 2',
    ]);
  });

  it('goes on with the trace of the caller, and links the items to it', () => {
    const send = spans.find(({ name }) => name === 'send pages') as Span;
    expect(send).toMatchObject({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parent: '00f067aa0ba902b7' });
    for (const span of spans) {
      if (span === send) continue;
      expect(span.links).toEqual([{ traceId: send.traceId, spanId: send.spanId }]);
      expect(span.parent).toBeNull();
    }
  });

  it('sends each request from within the span of its item', () => {
    const fetched = spans.filter(({ name }) => name === 'process pages/Fetch');
    const expected = fetched.map((span) => ({
      path: `/${span.attributes['messaging.message.id']}`,
      traceparent: `00-${span.traceId}-${span.spanId}-01`,
    }));
    expect(seen.toSorted((a, b) => a.path.localeCompare(b.path))).toEqual(expected.sort((a, b) => a.path.localeCompare(b.path)));
  });

  it('says which item failed, and why', () => {
    expect(spans.filter(({ status }) => status.code === 2)).toMatchObject([
      {
        status: { message: 'the server answered 404: a page' },
        attributes: { 'messaging.message.id': 'nowhere', 'error.type': 'HttpStatus', 'messaging.sluice.outcome': 'fail' },
      },
    ]);
  });
});
