import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const STAGES = ['A', 'B', 'C'];
const WORKERS = 10;
const BULK = 500;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A Redis of its own, which appends every write to a file that it syncs once a second. */
async function startRedis(): Promise<{ port: number; stop: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const port = await freePort();
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--appendonly',
    'yes',
    '--appendfsync',
    'everysec',
    '--save',
    '',
  ];
  const redis: ChildProcess = spawn('redis-server', args, { stdio: 'ignore' });
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    socket.destroy();
    if (isOpen) break;
    if (redis.exitCode !== null) throw new Error('redis-server does not start');
  }
  return {
    port,
    stop: () => {
      redis.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Items a second of three queues of BullMQ, each worker adding to the next one, ten at a time in each. */
export async function bullmqChain(texts: readonly string[]): Promise<number> {
  const redis = await startRedis();
  const connection = new Redis(redis.port, '127.0.0.1', { maxRetriesPerRequest: null });
  const queues = STAGES.map((name) => new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } }));
  let ended = 0;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const workers = STAGES.map(
    (name, i) =>
      new Worker(
        name,
        async (job) => {
          await queues[i + 1]?.add('item', job.data);
          if (i === STAGES.length - 1 && ++ended === texts.length) resolve();
        },
        { connection, concurrency: WORKERS },
      ),
  );
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  const before = performance.now();
  for (let from = 0; from < texts.length; from += BULK) {
    await queues[0]?.addBulk(texts.slice(from, from + BULK).map((text) => ({ name: 'item', data: JSON.parse(text) })));
  }
  await done;
  const seconds = (performance.now() - before) / 1000;
  await Promise.all([...workers, ...queues].map((each) => each.close()));
  connection.disconnect();
  redis.stop();
  return texts.length / seconds;
}
