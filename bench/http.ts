import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants, cpus, setPriority } from 'node:os';
import { median, report } from './row.ts';
import { serviceFlags, startServer } from './servers/child.ts';

/* Requests to the service against bare Fastify with an equivalent schema. The client is a process of its own and does next to nothing. */

const CONNECTIONS = 64;
const REQUESTS = 20_000;
const ROUNDS = 7;
const LINES = 100_000;
const RUNS = 3000;
const item = { id: undefined, sku: 'A-4711', quantity: 3, note: 'as soon as possible', tags: ['a', 'b'] };

function post(path: string, body: string, type = 'application/json'): Buffer {
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** One request after the other on a connection; gives the status of each answer, which has a length and fits one read. */
async function ask(socket: Socket, request: Buffer, count: number, expected: number): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    socket.write(request);
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    took.push(performance.now() - before);
    const status = Number(chunk.subarray(9, 12).toString());
    if (status !== expected) throw new Error(`answered ${chunk.toString()}`);
  }
  return took;
}

async function open(port: number, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      await once(socket, 'connect');
      return socket;
    }),
  );
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

const servers = { sluice: await startServer('http', ['sluice'], serviceFlags()), bare: await startServer('http', ['bare']) };
const both = ['sluice', 'bare'] as const;

/** How long the service takes for what takes bare Fastify 1. */
async function compare(work: (name: (typeof both)[number]) => Promise<number>): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [ours, theirs] = [await work('sluice'), await work('bare')];
    if (round > 0) ratios.push(ours / theirs);
  }
  return median(ratios);
}

const run = post('/pipelines/p/run', JSON.stringify({ items: [item] }));
// In turns. A processor that has gone to sleep takes longer to wake than either server to answer, and whether it has is chance: work of
// the lowest priority keeps it awake.
const awake = cpus().map(() => {
  const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  setPriority(child.pid as number, constants.priority.PRIORITY_LOW);
  return child;
});
const callers = { sluice: (await open(servers.sluice.port, 1))[0] as Socket, bare: (await open(servers.bare.port, 1))[0] as Socket };
const took: Record<(typeof both)[number], number[]> = { sluice: [], bare: [] };
for (let i = 0; i < RUNS; i++) for (const name of both) took[name].push(...(await ask(callers[name], run, 1, 200)));
const running = median(took.sluice) / median(took.bare);
for (const name of both) callers[name].destroy();
for (const child of awake) child.kill('SIGKILL');

const feed = post('/pipelines/p/feed', JSON.stringify({ items: [item] }));
const feeding = await compare(async (name) => {
  const sockets = await open(servers[name].port, CONNECTIONS);
  const took = await timeOf(() => Promise.all(sockets.map((socket) => ask(socket, feed, REQUESTS / CONNECTIONS, 202))));
  for (const socket of sockets) socket.destroy();
  return took;
});

const body = Buffer.from(Array.from({ length: LINES }, (_, i) => `${JSON.stringify({ ...item, n: i })}\n`).join(''));
const lines = await compare((name) =>
  timeOf(async () => {
    const path = name === 'sluice' ? '/pipelines/queue/feed' : '/pipelines/p/lines';
    const answer = await fetch(`http://127.0.0.1:${servers[name].port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    });
    const text = await answer.text();
    if (!text.includes(String(LINES))) throw new Error(`answered ${answer.status}: ${text}`);
  }),
);
for (const name of both) await servers[name].stop();

report([
  {
    claim: `POST feed of one item, ${CONNECTIONS} connections, its three no-op stages included: requests a second, of bare Fastify`,
    bar: '≥ 0.85',
    figure: (1 / feeding).toFixed(2),
    holds: 1 / feeding >= 0.85,
  },
  {
    claim: 'NDJSON accepted and queued: lines a second, of a server that reads, parses and counts them',
    bar: '≥ 0.6',
    figure: (1 / lines).toFixed(2),
    holds: 1 / lines >= 0.6,
  },
  {
    claim: 'POST run of one item through three no-op stages: median, of bare Fastify answering the same POST',
    bar: '≤ 2',
    figure: running.toFixed(2),
    holds: running <= 2,
  },
]);
process.exit(0);
