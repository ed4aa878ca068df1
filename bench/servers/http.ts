import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type * as App from '../../src/app.ts';
import type * as Configuration from '../../src/config.ts';
import type * as Engine from '../../src/engine/index.ts';
import type * as Ports from '../../src/engine/ports.ts';
import type * as Sqlite from '../../src/stores/sqlite/index.ts';
import { ready } from './ready.ts';
import { load } from './sources.ts';

/*
 * What is compared over HTTP:
 *
 *   http.ts sluice   the service with a pipeline of three no-op stages, logging to nowhere as it does to stdout
 *   http.ts sluice FILE [in-process]   the same with everything kept in a file, written by a thread of its own or not
 *   http.ts bare     Fastify with an equivalent schema for each of the same addresses, which does nothing
 *
 * `root=FOLDER` as the last argument: the service of another checkout.
 */
const words = process.argv.slice(2);
const root = words.find((word) => word.startsWith('root='))?.slice('root='.length);
const [mode = 'sluice', file, how] = words.filter((word) => !word.startsWith('root='));

const noop: Engine.TaskDeclaration = {
  name: 'noop',
  kind: 'task',
  description: '',
  paramsSchema: null,
  parseParams: () => undefined,
  run: (value) => value,
};

async function sluice(): Promise<FastifyInstance> {
  const { buildApp } = await load<typeof App>('src/app.ts', root);
  const { loadConfig } = await load<typeof Configuration>('src/config.ts', root);
  const { createLocalHost, createTaskRegistry } = await load<typeof Engine>('src/engine/index.ts', root);
  const { systemPorts } = await load<typeof Ports>('src/engine/ports.ts', root);
  const { openSqliteStore } = await load<typeof Sqlite>('src/stores/sqlite/index.ts', root);
  const config = loadConfig({});
  const logger = pino({ level: 'info' }, pino.destination('/dev/null'));
  const host = createLocalHost({
    ...config,
    registry: createTaskRegistry([noop]),
    ports: { ...systemPorts, logger },
    hookTimeoutSeconds: 30,
    ...(file === undefined ? {} : { store: await openSqliteStore({ file, inProcess: how === 'in-process' }) }),
  });
  const stages = ['A', 'B', 'C'].map((name) => ({ name, workers: 10, tasks: ['noop'] }));
  await host.recover();
  await host.put('p', { stages });
  // It takes items and runs none: what it costs to accept them.
  await host.put('queue', { stages, backlogCapacity: 10_000_000 }, { start: false });
  host.goOn();
  return buildApp(config, { host, logger });
}

const feedBody = {
  type: 'object',
  additionalProperties: false,
  required: ['items'],
  properties: {
    items: { type: 'array', items: {} },
    targetStage: { type: 'string', pattern: '^[A-Za-z0-9._~:@ -]{1,128}$' },
    priority: { type: 'integer', minimum: 0, maximum: 2097151 },
    feedId: { type: 'string', pattern: '^[A-Za-z0-9._~:@-]{1,128}$' },
    onDuplicate: { enum: ['skip', 'reject', 'rerun'] },
  },
};
const receipt = {
  type: 'object',
  properties: {
    feedId: { type: 'string' },
    accepted: { type: 'integer' },
    duplicates: { type: 'integer' },
    firstSequence: { type: 'integer' },
    lastSequence: { type: 'integer' },
    ids: { type: 'array', items: { type: 'string' } },
  },
};
const answer = { type: 'object', properties: { feedId: { type: 'string' }, results: { type: 'array', items: {} }, errorSummary: {} } };
const params = { type: 'object', properties: { id: { type: 'string', pattern: '^[A-Za-z0-9._~:@-]{1,128}$' } } };

function bare(): FastifyInstance {
  const app = Fastify({ logger: false });
  let sequence = 0;
  app.post('/pipelines/:id/feed', { schema: { params, body: feedBody, response: { 202: receipt } } }, (request, reply) => {
    const { items } = request.body as { items: unknown[] };
    const firstSequence = sequence + 1;
    sequence += items.length;
    const ids = items.map((_, i) => `mwty2h4k7f3a-${firstSequence + i}`);
    reply.code(202).header('location', `/pipelines/p/feeds/feed-${sequence}`);
    return { feedId: `feed-${sequence}`, accepted: items.length, duplicates: 0, firstSequence, lastSequence: sequence, ids };
  });
  app.post('/pipelines/:id/run', { schema: { params, body: feedBody, response: { 200: answer } } }, (request) => {
    const { items } = request.body as { items: unknown[] };
    return { feedId: `feed-${++sequence}`, results: items, errorSummary: {} };
  });
  // Lines are read, parsed and counted.
  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload));
  app.post('/pipelines/:id/lines', async (request) => {
    let rest = '';
    let lines = 0;
    for await (const chunk of request.body as AsyncIterable<Buffer>) {
      const parts = (rest + chunk.toString('utf8')).split('\n');
      rest = parts.pop() as string;
      for (const part of parts) {
        if (part === '') continue;
        JSON.parse(part);
        lines++;
      }
    }
    return { lines };
  });
  return app;
}

const app = mode === 'sluice' ? await sluice() : bare();
await app.listen({ port: 0, host: '127.0.0.1' });
process.on('SIGINT', () => process.exit(0));
const delay = monitorEventLoopDelay({ resolution: 1 });
ready((app.server.address() as AddressInfo).port, (message) => {
  if (message === 'watch') {
    delay.enable();
    delay.reset();
    return true;
  }
  const found = { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 };
  delay.disable();
  return found;
});
