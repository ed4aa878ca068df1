/** Whether event streams and streamed answers are as the OpenAPI documents say of their messages and lines. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, type Service, startService } from '../http/app-harness.ts';
import { connect, type Received, StreamParser } from '../http/sse-harness.ts';

let service: Service;
let port: number;

// openapi.test.ts says whether the document is well-formed; here only its components count.
const ajv = new Ajv2020({ strict: false, validateFormats: true, validateSchema: false });
addFormats.default(ajv);
const { components } = JSON.parse(readFileSync('openapi/openapi.json', 'utf8')) as { components: object };
ajv.addSchema({ components }, 'openapi');
/** Compiled once each: `getSchema` keeps them. */
const schemaOf = (name: string): ValidateFunction => ajv.getSchema(`openapi#/components/schemas/${name}`) as ValidateFunction;

beforeEach(async () => {
  service = await startService();
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  port = (service.app.server.address() as AddressInfo).port;
  await create(service, { id: 'p', stages: [{ name: 'S', tasks: ['picky'] }] });
});
afterEach(() => service[Symbol.asyncDispose]());

const toMessage = ({ id, event, data }: Received): object => ({ ...(id !== undefined && { id }), event, data: JSON.parse(data) });

/** The messages are as `<kind>Message` says, and their data as `<kind>Data`. Of each name at least one has to be there. */
function expectMessages(kind: string, events: readonly Received[], names: readonly string[]): void {
  const [fitsMessage, fitsData] = [schemaOf(`${kind}Message`), schemaOf(`${kind}Data`)];
  for (const received of events) {
    const message = toMessage(received);
    expect.soft(fitsMessage(message) ? [] : fitsMessage.errors, JSON.stringify(message)).toEqual([]);
    expect.soft(fitsData(JSON.parse(received.data)), received.data).toBe(true);
  }
  expect(new Set(events.map(({ event }) => event))).toEqual(new Set(names));
}

const ITEMS = [{ id: 'good' }, { id: 'poor', value: 'bad' }];
const run = (query: string, accept: string, items: unknown[] = ITEMS) =>
  service.app.inject({ method: 'POST', url: `/pipelines/p/run?${query}`, headers: { accept }, payload: { items } });

describe('the messages of', () => {
  it.each([
    ['a pipeline', '/pipelines/p/events', 'Event'],
    ['all pipelines', '/events', 'AnyEvent'],
  ])('%s are as documented, of every name', async (_, path, kind) => {
    // An id of another life, for the gap.
    const stream = await connect(port, `${path}?types=status,task,result,pipeline,feed&snapshotSeconds=0.1&after=gone-7`);
    await run('', 'application/json');
    await service.host.get('p').pause();
    const names = ['status', 'task', 'result', 'pipeline', 'feed', 'snapshot', 'gap'];
    await stream.until(({ events }) => names.every((name) => events.some(({ event }) => event === name)));
    const closing = service.app.close();
    await stream.until(({ ended }) => ended);
    await closing;
    expectMessages(kind, stream.events, [...names, 'bye']);
  });

  it('a run are as documented, whichever ends it', async () => {
    const messages = async (query: string): Promise<Received[]> => {
      const parser = new StreamParser();
      parser.write((await run(query, 'text/event-stream')).rawPayload);
      return parser.events;
    };
    expectMessages('Run', await messages(''), ['result', 'summary']);
    await service.host.get('p').pause();
    expectMessages('Run', await messages('timeoutSeconds=0&onDuplicate=rerun'), ['pending']);
  });

  it('the results of a feed that is followed are as documented, whichever ends them', async () => {
    await service.app.inject({ method: 'POST', url: '/pipelines/p/run', payload: { feedId: 'f', items: ITEMS } });
    const messages = async (query: string): Promise<Received[]> => {
      const parser = new StreamParser();
      const url = `/pipelines/p/feeds/f/results?follow=true${query}`;
      const answer = await service.app.inject({ url, headers: { accept: 'text/event-stream' } });
      expect(answer.headers['content-type']).toBe('text/event-stream');
      parser.write(answer.rawPayload);
      return parser.events;
    };
    const all = await messages('');
    expectMessages('FeedResultEvent', all, ['result', 'feed']);
    expect(JSON.parse(all.at(-1)?.data ?? '')).toMatchObject({ feedId: 'f', done: true });
    expect(await messages('&limit=1')).toHaveLength(2);
  });
});

describe('the lines of', () => {
  const linesOf = (text: string): object[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);

  it('a run are as documented, whichever is the last', async () => {
    const lines = linesOf((await run('', 'application/x-ndjson')).body);
    lines.push(...linesOf((await run('', 'application/x-ndjson')).body));
    await service.host.get('p').pause();
    lines.push(...linesOf((await run('timeoutSeconds=0', 'application/x-ndjson', ['later'])).body));
    await service.host.get('p').resume();
    const broken = await service.app.inject({
      method: 'POST',
      url: '/pipelines/p/run',
      headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
      payload: '"fine"\n{',
    });
    lines.push(...linesOf(broken.body));
    const fits = schemaOf('RunLine');
    for (const line of lines) expect.soft(fits(line) ? [] : fits.errors, JSON.stringify(line)).toEqual([]);
    const last = ['summary', 'pending', 'problem'].map((name) => lines.filter((line) => name in line).length);
    expect(last).toEqual([1, 1, 1]);
    expect(fits({ other: {} })).toBe(false);
  });

  it('a feed that is followed are as documented', async () => {
    await service.app.inject({ method: 'POST', url: '/pipelines/p/run', payload: { feedId: 'f', items: ITEMS } });
    const { body } = await service.app.inject('/pipelines/p/feeds/f/results?follow=true');
    const fits = schemaOf('FeedResultLine');
    expect(linesOf(body)).toHaveLength(2);
    for (const line of linesOf(body)) expect.soft(fits(line) ? [] : fits.errors, JSON.stringify(line)).toEqual([]);
  });
});
