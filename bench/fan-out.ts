import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type EventSource, Pipeline } from '../src/engine/index.ts';
import { silentLogger } from '../src/engine/ports.ts';
import { createSseHub } from '../src/http/sse/hub.ts';
import { median, report } from './row.ts';
import { startServer } from './servers/child.ts';

/* What one reader of all events costs the engine at full speed: its rate with that reader, of its rate without. */

const ITEMS = 200_000;
const ROUNDS = 9;
const noop = async (value: number): Promise<number> => value;
const items = Array.from({ length: ITEMS }, (_, i) => i);

const hub = createSseHub({ logger: silentLogger });
let current: EventSource;
const server = createServer((_request, response) => {
  const types = new Set(['status', 'task', 'result', 'pipeline'] as const);
  hub.attach({ response, events: current, filter: { types }, after: current.newest });
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;

async function rate(isFollowed: boolean): Promise<number> {
  const stages = ['A', 'B', 'C'].map((name) => ({ name, workers: 10, tasks: [noop] }));
  const pipeline = new Pipeline({ stages, backlogCapacity: ITEMS, collectResults: false });
  current = pipeline.events;
  await pipeline.start();
  const readers = isFollowed ? await startServer('readers') : undefined;
  await readers?.tell({ port, path: '/', count: 1 });
  globalThis.gc?.();
  const before = performance.now();
  await pipeline.run(items);
  const took = performance.now() - before;
  const received = ((await readers?.tell('bytes')) as { bytes: number } | undefined)?.bytes ?? 0;
  if (isFollowed && received < 100_000) throw new Error(`the reader got ${received} bytes`);
  await readers?.stop();
  await pipeline.shutdown();
  return ITEMS / took;
}

const shares: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const [alone, followed] = [await rate(false), await rate(true)];
  if (round > 0) shares.push(followed / alone);
}
const share = median(shares);
report([
  {
    claim: 'the engine at full speed with one reader of all events: rate, of that without',
    bar: '≥ 0.9',
    figure: share.toFixed(2),
    holds: share >= 0.9,
  },
]);
process.exit(0);
