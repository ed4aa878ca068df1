import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LinesOfHistory } from '../../src/engine/contract/event-lines.ts';
import type { EventFilter, EventSource, SluiceEvent } from '../../src/engine/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { createSseHub } from '../../src/http/sse/hub.ts';
import { ready } from './ready.ts';

/*
 * Event streams, by the hub or by one `res.write` of a pre-serialised Buffer for each event and reader:
 *
 *   sse.ts hub|write
 *
 * Told `{ ticks, events, everyMs }` it sends so many events in each of so many ticks, and answers with the number of the newest.
 */
const [mode = 'hub'] = process.argv.slice(2);
const KEPT = 262_144;
const STAGES = 10;

const stageOf = (seq: number): string => `Stage${seq % STAGES}`;
const dataOf = (seq: number): object => ({
  itemId: `order-${seq}`,
  feedId: 'feed-mwty2h4k7f3a',
  stage: stageOf(seq),
  status: 'completed',
  final: false,
  worker: `${stageOf(seq)}-W0`,
  timestamp: '2026-11-23T17:44:00.123Z',
  metadata: {},
});

let newest = 0;
let wake = (): void => undefined;
const source: EventSource = {
  lines: new LinesOfHistory({ epoch: 'mf3k2x1a' }),
  get newest() {
    return newest;
  },
  get oldest() {
    return Math.max(1, newest - KEPT + 1);
  },
  read(after, scan, filter: EventFilter) {
    const to = Math.min(newest, after + scan);
    const events: SluiceEvent[] = [];
    for (let seq = after + 1; seq <= to; seq++) {
      if (filter.stage !== undefined && !filter.stage.has(stageOf(seq))) continue;
      events.push({ seq, type: 'status', data: dataOf(seq) } as SluiceEvent);
    }
    return { events, cursor: Math.max(to, after) };
  },
  subscribe(listener) {
    wake = listener;
    return () => undefined;
  },
};

const hub = createSseHub({ logger: silentLogger });
const readers: { response: ServerResponse; stage: string | null }[] = [];
const server = createServer((request, response) => {
  const stage = new URL(request.url ?? '/', 'http://x').searchParams.get('stage');
  if (mode === 'hub') {
    const filter = { types: new Set(['status'] as const), ...(stage === null ? {} : { stage: new Set([stage]) }) };
    hub.attach({ response, events: source, filter, after: newest });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('retry: 1000\n\n');
  readers.push({ response, stage });
});

function tick(events: number): void {
  if (mode === 'hub') {
    newest += events;
    wake();
    return;
  }
  for (let i = 0; i < events; i++) {
    const seq = ++newest;
    const frame = Buffer.from(`id: mf3k2x1a-${seq}\nevent: status\ndata: ${JSON.stringify(dataOf(seq))}\n\n`);
    for (const { response, stage } of readers) if (stage === null || stage === stageOf(seq)) response.write(frame);
  }
}

process.on('message', async (message: { ticks?: number; events?: number; everyMs?: number } | string) => {
  if (typeof message === 'string') return;
  const { ticks = 0, events = 0, everyMs = 10 } = message;
  for (let i = 0; i < ticks; i++) {
    tick(events);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  // Longer than the hub collects.
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.send?.({ newest });
});
server.listen(0, '127.0.0.1', () => ready((server.address() as AddressInfo).port, () => null));
