import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import Fastify from 'fastify';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { sendProblem } from '../../src/http/problems/problem.ts';
import { type Service, startService } from './app-harness.ts';
import { eventually } from './sse-harness.ts';

type Reader = 'results' | 'items' | 'feeds' | 'feedResults' | 'feedView' | 'openRun' | 'run';

const NDJSON = 'application/x-ndjson';
const JSON_TYPE = 'application/json';
/** What is asked of the pipeline for the answer, and by which request. */
const ANSWERS: [what: string, reader: Reader, path: string, accept: string, body?: string][] = [
  ['results', 'results', '/pipelines/p/results', NDJSON],
  ['items', 'items', '/pipelines/p/items', NDJSON],
  ['feeds', 'feeds', '/pipelines/p/feeds', NDJSON],
  ['the results of a feed', 'feedResults', '/pipelines/p/feeds/f/results', NDJSON],
  ['the results of a feed, of which nothing is known yet', 'feedView', '/pipelines/p/feeds/f/results', NDJSON],
  ['the results of a feed that is followed', 'feedView', '/pipelines/p/feeds/f/results?follow=true', NDJSON],
  ['one JSON document', 'results', '/pipelines/p/results', JSON_TYPE],
  ['a run, as lines', 'openRun', '/pipelines/p/run', NDJSON, '{"items":[1]}'],
  ['a run, as events', 'openRun', '/pipelines/p/run', 'text/event-stream', '{"items":[1]}'],
  ['a run, as one document', 'run', '/pipelines/p/run', JSON_TYPE, '{"items":[1]}'],
];

async function serving(): Promise<{ service: Service; ask: (path: string, accept: string, body?: string) => Promise<Socket> }> {
  const service = await startService();
  onTestFinished(() => service[Symbol.asyncDispose]());
  const { app, host } = service;
  await app.listen({ port: 0, host: '127.0.0.1' });
  await host.create({ id: 'p', stages: [{ name: 'A', workers: 1, tasks: ['echo'] }] });
  await host.get('p').feed([{ value: 1 }], { feedId: 'f' });
  await host.get('p').join();
  const { port } = app.server.address() as { port: number };
  const ask = async (path: string, accept: string, body?: string): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const head = `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: ${accept}\r\n`;
    socket.write(body === undefined ? `${head}\r\n` : `${head}content-type: ${JSON_TYPE}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    return socket;
  };
  return { service, ask };
}

/** Makes the next read wait until it is let go; resolves when it is asked for. */
function slow({ host }: Service, reader: Reader): { asked: Promise<void>; release: () => void } {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const runtime = host.get('p') as unknown as Record<Reader, (...given: unknown[]) => Promise<unknown>>;
  const read = runtime[reader].bind(runtime);
  vi.spyOn(runtime, reader).mockImplementationOnce(async (...given) => {
    asked.resolve();
    await gate.promise;
    return read(...given);
  });
  return { asked: asked.promise, release: gate.resolve };
}

const connections = ({ app }: Service): Promise<number> => new Promise((done) => app.server.getConnections((_error, count) => done(count)));
/** What follows a read comes in the turns after it; nothing tells of its end. */
async function turns(count = 50): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
const faults = ({ logs }: Service): unknown[] => logs.filter(({ level }) => Number(level) >= 40);

describe('a client that leaves before the first byte of its answer', () => {
  it.each(ANSWERS)('is no fault of the service: %s, from %s', async (_, reader, path, accept, body) => {
    const { service, ask } = await serving();
    const { asked, release } = slow(service, reader);
    const socket = await ask(path, accept, body);
    await asked;
    socket.destroy();
    while ((await connections(service)) > 0) await new Promise((resolve) => setImmediate(resolve));
    release();
    await turns();
    expect(faults(service)).toEqual([]);
  });

  it('hides no fault: a read that fails is told though nobody waits for it', async () => {
    const { service, ask } = await serving();
    const asked = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    vi.spyOn(service.host.get('p'), 'results').mockImplementationOnce(async () => {
      asked.resolve();
      await gate.promise;
      throw new Error('the read failed');
    });
    const socket = await ask('/pipelines/p/results', JSON_TYPE);
    await asked.promise;
    socket.destroy();
    while ((await connections(service)) > 0) await new Promise((resolve) => setImmediate(resolve));
    gate.resolve();
    await eventually(() => faults(service).length > 0);
    expect(faults(service)).toMatchObject([{ level: 50, err: { message: 'the read failed' }, msg: 'a request failed' }]);
  });

  it('is no fault when its stream had been given to Fastify, and nothing of it was read', async () => {
    const logs: Record<string, unknown>[] = [];
    const stream = { level: 'info', stream: { write: (line: string) => void logs.push(JSON.parse(line)) } };
    const app = Fastify({ logger: stream });
    onTestFinished(() => app.close());
    app.decorateRequest('problemCode', null);
    app.setErrorHandler(sendProblem);
    const sent = Promise.withResolvers<Readable>();
    const failed = Promise.withResolvers<unknown>();
    app.addHook('onError', async (_request, _reply, error) => failed.resolve(error));
    app.post('/', (_request, reply) => {
      const rows = new Readable({ read: () => undefined });
      void reply.send(rows);
      sent.resolve(rows);
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect((app.server.address() as { port: number }).port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
    await sent.promise;
    socket.destroy();
    expect(await failed.promise).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await turns();
    expect(logs.filter(({ level }) => Number(level) >= 40)).toEqual([]);
  });
});
