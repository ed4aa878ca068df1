import { type BenchRow, median, report } from './row.ts';
import { type BenchServer, startServer } from './servers/child.ts';

/* Event streams by the hub, against one `res.write` of a pre-serialised Buffer for each event and reader; CPU of the server. */

const READERS = 100;
const EVENTS = 16;
const TICKS = 1000;
const TICK_MS = 1;
const ROUNDS = 5;
const MB = 2 ** 20;

async function open(mode: string, path: string, count: number): Promise<{ server: BenchServer; readers: BenchServer }> {
  const server = await startServer('sse', [mode]);
  const readers = await startServer('readers');
  await readers.tell({ port: server.port, path, count });
  return { server, readers };
}

/** Bytes that reached the readers for a millisecond of the server's CPU. */
async function delivered(mode: string, path: string): Promise<number> {
  const { server, readers } = await open(mode, path, READERS);
  await server.tell({ ticks: 100, events: EVENTS, everyMs: TICK_MS });
  const before = { ...(await server.usage()), ...((await readers.tell('bytes')) as { bytes: number }) };
  await server.tell({ ticks: TICKS, events: EVENTS, everyMs: TICK_MS });
  const after = { ...(await server.usage()), ...((await readers.tell('bytes')) as { bytes: number }) };
  await server.stop();
  await readers.stop();
  return (after.bytes - before.bytes) / (after.cpuMs - before.cpuMs);
}

async function ratio(path: string): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) ratios.push((await delivered('hub', path)) / (await delivered('write', path)));
  return median(ratios);
}

/** How long what was sent may take to arrive, on a machine that has other work to do. */
const ARRIVAL_MS = 60_000;

/** Waits until every reader but the stalled first one has that event; false when one has not within {@link ARRIVAL_MS}. */
async function haveArrived(readers: BenchServer, newest: number): Promise<boolean> {
  const deadline = performance.now() + ARRIVAL_MS;
  for (;;) {
    const { lastIds, perSocket } = (await readers.tell('bytes')) as { lastIds: number[]; perSocket: number[] };
    if (lastIds.slice(1).every((id) => id === newest)) return perSocket.slice(1).every((bytes) => bytes > 24 * MB);
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function stalled(): Promise<{ growth: number; complete: boolean }> {
  const { server, readers } = await open('hub', '/', 10);
  await readers.tell('pause');
  await server.tell({ ticks: 20, events: EVENTS });
  const before = (await server.usage()).rss;
  const { newest } = (await server.tell({ ticks: 1000, events: 125, everyMs: 2 })) as { newest: number };
  const complete = await haveArrived(readers, newest);
  const growth = ((await server.usage()).rss - before) / MB;
  await server.stop();
  await readers.stop();
  return { growth, complete };
}

async function idle(): Promise<number> {
  const count = 1000;
  const server = await startServer('sse', ['hub']);
  const readers = await startServer('readers');
  await readers.tell({ port: server.port, path: '/', count: 50 });
  await server.usage();
  const each: number[] = [];
  // The process itself grows now and then, by more than a thousand readers: the median of several thousands is what they cost.
  for (let round = 0; round < ROUNDS; round++) {
    const before = (await server.usage()).rss;
    await readers.tell({ port: server.port, path: '/', count });
    await server.usage();
    each.push(((await server.usage()).rss - before) / count / 1024);
  }
  await server.stop();
  await readers.stop();
  return median(each);
}

const all = await ratio('/');
const filtered = await ratio('/?stage=Stage*');
const { growth, complete } = await stalled();
const each = await idle();
const rows: BenchRow[] = [
  {
    claim: `${READERS} readers, ${EVENTS} events a tick of ${TICK_MS} ms: delivered a CPU second, of one write an event`,
    bar: '≥ 3',
    figure: all.toFixed(2),
    holds: all >= 3,
  },
  { claim: 'the same with ten filters', bar: '≥ 1.5', figure: filtered.toFixed(2), holds: filtered >= 1.5 },
  {
    claim: 'one of ten readers stalled over 24 MB of events: growth, the other nine complete',
    bar: '< 24 MB',
    figure: `${growth.toFixed(1)} MB${complete ? '' : ', not complete'}`,
    holds: growth < 24 && complete,
  },
  {
    claim: '1 000 more idle readers: memory each, median of five thousands',
    bar: '< 16 KB',
    figure: `${each.toFixed(1)} KB`,
    holds: each < 16,
  },
];
report(rows);
