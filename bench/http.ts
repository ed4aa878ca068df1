import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants, cpus, setPriority } from 'node:os';
import { type BenchRow, median, report } from './row.ts';
import { type BenchServer, serviceFlags, startServer } from './servers/child.ts';
import { inTurns, ratios, spread } from './turns.ts';

/*
 * Requests to the service against bare Fastify with an equivalent schema. The client is a process of its own and does next to nothing;
 * rates are of the server's CPU, all servers run with the flags of the service, and each set of them is a new one.
 *
 * `AGAINST=../before npm run bench -- http` compares with the service of another checkout, with its flags, in place of bare Fastify.
 */

const CONNECTIONS = 64;
const REQUESTS = 20_000;
const LINES = 100_000;
const RUNS = 3000;
const SETS = 2;
const ROUNDS = 4;
const { AGAINST } = process.env;
const item = { id: undefined, sku: 'A-4711', quantity: 3, note: 'as soon as possible', tags: ['a', 'b'] };

function post(path: string, body: string): Buffer {
  const type = 'application/json';
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** One request after the other on a connection; gives the time of each answer, which has a length and fits one read. */
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

async function cpuOf(server: BenchServer, work: () => Promise<unknown>): Promise<number> {
  const before = await server.cpu();
  await work();
  return (await server.cpu()) - before;
}

const feed = post('/pipelines/p/feed', JSON.stringify({ items: [item] }));

function feedSingly(server: BenchServer): Promise<number> {
  return cpuOf(server, async () => {
    const sockets = await open(server.port, CONNECTIONS);
    await Promise.all(sockets.map((socket) => ask(socket, feed, REQUESTS / CONNECTIONS, 202)));
    for (const socket of sockets) socket.destroy();
  });
}

const body = Buffer.from(Array.from({ length: LINES }, (_, i) => `${JSON.stringify({ ...item, n: i })}\n`).join(''));

async function text(server: BenchServer, path: string, type: string, body: Buffer | string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
  const found = await answer.text();
  if (!found.includes(String(LINES))) throw new Error(`answered ${answer.status}: ${found}`);
  return found;
}

const lines = (server: BenchServer, path: string): Promise<number> => cpuOf(server, () => text(server, path, 'application/x-ndjson', body));

/** Until the last of them has passed all three stages. */
function linesDone(server: BenchServer): Promise<number> {
  return cpuOf(server, async () => {
    const { feedId } = JSON.parse(await text(server, '/pipelines/p/feed', 'application/x-ndjson', body)) as { feedId: string };
    const waited = await text(server, `/pipelines/p/feeds/${feedId}/wait?timeoutSeconds=120`, 'application/json', '');
    const { completed } = JSON.parse(waited) as { completed: number };
    if (completed !== LINES) throw new Error(`${completed} of ${LINES} have completed`);
  });
}

/** Medians of single requests in turns, ours of the other's. Not of CPU: it is about how long somebody waits. */
async function runTime(ours: BenchServer, other: BenchServer): Promise<number> {
  // A processor that has gone to sleep takes longer to wake than either server to answer, and whether it has is chance: work of
  // the lowest priority keeps it awake.
  const awake = cpus().map(() => {
    const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    setPriority(child.pid as number, constants.priority.PRIORITY_LOW);
    return child;
  });
  const request = post('/pipelines/p/run', JSON.stringify({ items: [item] }));
  const callers = [(await open(ours.port, 1))[0] as Socket, (await open(other.port, 1))[0] as Socket] as const;
  const took: [number[], number[]] = [[], []];
  for (let i = 0; i < RUNS; i++) for (const turn of [0, 1] as const) took[turn].push(...(await ask(callers[turn], request, 1, 200)));
  for (const caller of callers) caller.destroy();
  for (const child of awake) child.kill('SIGKILL');
  return median(took[0]) / median(took[1]);
}

const found = { feed: [] as number[], accepted: [] as number[], done: [] as number[], run: [] as number[] };
for (let set = 0; set < SETS; set++) {
  const ours = await startServer('http', ['sluice']);
  const isBare = AGAINST === undefined;
  const other = await (isBare ? startServer('http', ['bare']) : startServer('http', ['sluice', `root=${AGAINST}`], serviceFlags(AGAINST)));
  found.run.push(await runTime(ours, other));
  const compare = async (our: () => Promise<number>, their: () => Promise<number>): Promise<number[]> => {
    const costs = await inTurns({ our, their }, ROUNDS);
    return ratios(costs.their, costs.our);
  };
  found.feed.push(
    ...(await compare(
      () => feedSingly(ours),
      () => feedSingly(other),
    )),
  );
  found.done.push(
    ...(await compare(
      () => linesDone(ours),
      () => (isBare ? lines(other, '/pipelines/p/lines') : linesDone(other)),
    )),
  );
  // Last: what waits stays in memory.
  found.accepted.push(
    ...(await compare(
      () => lines(ours, '/pipelines/queue/feed'),
      () => lines(other, isBare ? '/pipelines/p/lines' : '/pipelines/queue/feed'),
    )),
  );
  await ours.stop();
  await other.stop();
}

const row = (claim: string, bar: number, values: readonly number[]): BenchRow => ({
  claim,
  bar: `≥ ${bar}`,
  figure: spread(values),
  holds: median(values) >= bar,
});
const than = AGAINST ?? 'bare Fastify';
const thanLines = AGAINST ?? 'a server that reads, parses and counts them';
const [single, accepted, done, most] = AGAINST === undefined ? [0.5, 0.6, 0.6, 2] : [0.97, 0.97, 0.97, 1.03];
report([
  row(
    `POST feed of one item, ${CONNECTIONS} connections, its three no-op stages included: requests a CPU second, of ${than}`,
    single,
    found.feed,
  ),
  row(`NDJSON accepted and queued: lines a CPU second, of ${thanLines}`, accepted, found.accepted),
  row(`NDJSON until its three no-op stages are done: lines a CPU second, of ${thanLines}`, done, found.done),
  {
    claim: `POST run of one item through three no-op stages: median, of ${than} answering the same POST`,
    bar: `≤ ${most}`,
    figure: spread(found.run),
    holds: median(found.run) <= most,
  },
]);
process.exit(0);
