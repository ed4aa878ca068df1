import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, run, type Service, startService } from '../http/app-harness.ts';

const PAGE = 10_000;
const DOCUMENT = 30_000;
const ROW = 4000;

let service: Service;
beforeEach(async () => {
  service = await startService({ bounds: { maxValueBytes: 50_000, pageCharacters: PAGE, documentCharacters: DOCUMENT } });
  await create(service, definition('p'));
});
afterEach(() => service[Symbol.asyncDispose]());

const text = (i: number): string => `${i}`.padEnd(ROW, 'x');
const rows = (count: number): { id: string; value: string }[] => Array.from({ length: count }, (_, i) => ({ id: `i${i}`, value: text(i) }));
const lines = (body: string): Record<string, unknown>[] =>
  body
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

async function allPages(url: string, list: string): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const response = await get(service, `${url}${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(response.statusCode).toBe(200);
    expect(response.body.length).toBeLessThan(PAGE + 2 * ROW);
    const page = response.json();
    expect(page[list].length).toBeGreaterThan(0);
    expect(response.headers.link === undefined).toBe(page.nextCursor === null);
    all.push(...page[list]);
    cursor = page.nextCursor;
  }
  return all;
}

describe('lists of large rows', () => {
  it('come in pages that end sooner, with a cursor, and as NDJSON whole', async () => {
    await run(service, 'p', rows(5));
    await feed(service, 'p', rows(12).slice(5), { feedId: 'rest' });
    await post(service, '/pipelines/p/feeds/rest/wait');
    for (const url of ['/pipelines/p/results?limit=100', '/pipelines/p/results?limit=100&status=all']) {
      expect((await allPages(url, 'results')).map(({ value }) => value)).toEqual(rows(12).map(({ value }) => value));
    }
    expect((await allPages('/pipelines/p/feeds/rest/results?limit=100', 'results')).map(({ id }) => id)).toEqual(
      rows(12)
        .slice(5)
        .map(({ id }) => id),
    );
    for (const query of ['', '?limit=12']) {
      const headers = { accept: 'application/x-ndjson' };
      const all = await service.app.inject({ method: 'GET', url: `/pipelines/p/results${query}`, headers });
      expect(lines(all.body).map(({ value }) => value)).toEqual(rows(12).map(({ value }) => value));
    }
  });

  it('of pipelines with long descriptions are cut as well', async () => {
    // Eight mebibytes of them, in as few as a definition may describe itself with.
    const description = 'd'.repeat(10_000);
    const count = Math.ceil((8 * 1024 * 1024) / 10_000) + 10;
    for (let i = 0; i < count; i++) await service.host.create({ ...definition(`q${i}`), description }, { start: false });
    const first = (await get(service, '/pipelines?limit=1000')).json();
    expect(first.pipelines.length).toBeLessThan(count);
    const second = (await get(service, `/pipelines?limit=1000&cursor=${first.nextCursor}`)).json();
    expect(first.pipelines.length + second.pipelines.length).toBe(count + 1);
    expect(second.nextCursor).toBeNull();
  });
});

describe('run with more results than fit into one document', () => {
  it('is answered with its feed, which is done and has all of them', async () => {
    const response = await run(service, 'p', rows(12));
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({ total: 12, completed: 12, done: true });
    expect(await allPages(`${response.headers.location}/results?limit=100`, 'results')).toHaveLength(12);
  });

  it('is so again under the same key, and nothing runs twice', async () => {
    const send = () =>
      service.app.inject({
        method: 'POST',
        url: '/pipelines/p/run',
        payload: { items: rows(12) },
        headers: { 'idempotency-key': 'once' },
      });
    const [first, second] = [await send(), await send()];
    expect([first.statusCode, second.statusCode]).toEqual([202, 202]);
    expect(second.headers.location).toBe(first.headers.location);
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect((await get(service, '/pipelines/p/stats')).json().itemsFed).toBe(12);
  });

  it('fits when it just does', async () => {
    const response = await run(service, 'p', rows(7));
    expect(response.statusCode).toBe(200);
    expect(response.json().results).toHaveLength(7);
  });

  for (const accept of ['application/x-ndjson', 'text/event-stream']) {
    it(`comes whole as ${accept}, and again under the same key`, async () => {
      const send = () =>
        service.app.inject({
          method: 'POST',
          url: '/pipelines/p/run',
          payload: { items: rows(12) },
          headers: { accept, 'idempotency-key': 'stream' },
        });
      for (const { body, statusCode } of [await send(), await send()]) {
        expect(statusCode).toBe(200);
        const found = [...body.matchAll(/"value":"(\d+)x+"/g)].map((match) => Number(match[1]));
        expect(found.sort((a, b) => a - b)).toEqual(rows(12).map((_, i) => i));
      }
    });
  }
});

describe('a run whose results are not read', () => {
  /** Sends the request, and reads nothing of the answer until it is told to. */
  async function slowRun(id: string, items: unknown[]): Promise<{ read: () => Promise<string> }> {
    await service.app.listen({ port: 0 });
    const { port } = service.app.server.address() as AddressInfo;
    const payload = JSON.stringify({ items });
    const headers = { 'content-type': 'application/json', accept: 'application/x-ndjson', 'content-length': Buffer.byteLength(payload) };
    const sent = request({ port, method: 'POST', path: `/pipelines/${id}/run`, headers });
    sent.end(payload);
    const response = await new Promise<import('node:http').IncomingMessage>((resolve) => sent.once('response', resolve));
    return {
      read: async () => {
        let body = '';
        for await (const chunk of response.setEncoding('utf8')) body += chunk;
        return body;
      },
    };
  }

  const large = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

  it('gives all of them in the end, those too that were not held meanwhile', async () => {
    await create(service, definition('m', 'mega'));
    const { read } = await slowRun('m', large(1500));
    await post(service, `/pipelines/m/join`);
    const found = lines(await read());
    expect(found).toHaveLength(1500);
    expect(new Set(found.map(({ sequenceId }) => sequenceId)).size).toBe(1500);
    expect(found.every(({ value }) => (value as string).length === 45_000)).toBe(true);
  });

  it('says how many are lost when nothing keeps them', async () => {
    await create(service, { ...definition('m', 'mega'), collectResults: false });
    const { read } = await slowRun('m', large(1500));
    await post(service, `/pipelines/m/join`);
    const found = lines(await read());
    const { problem } = found.pop() as { problem: { code: string; missing: number } };
    expect(problem.code).toBe('no-longer-kept');
    expect(problem.missing).toBeGreaterThan(0);
    expect(found.length + problem.missing).toBe(1500);
  });
});

describe('wait over items with large results', () => {
  it('names those whose results do not fit', async () => {
    await feed(service, 'p', rows(12), { feedId: 'f' });
    await post(service, '/pipelines/p/feeds/f/wait');
    const itemIds = rows(12).map(({ id }) => id);
    const { done, pending, omitted } = (await post(service, '/pipelines/p/wait', { itemIds })).json();
    expect(pending).toEqual([]);
    expect(done.length).toBeGreaterThan(0);
    expect([...done.map(({ id }: { id: string }) => id), ...omitted]).toEqual(itemIds);
    expect(JSON.stringify(done).length).toBeLessThan(DOCUMENT + 2 * ROW);
    const rest = (await post(service, '/pipelines/p/wait', { itemIds: omitted })).json();
    expect(rest.done).toHaveLength(omitted.length);
    expect(rest.omitted).toBeUndefined();
  });
});

describe('an item that is too large', () => {
  it('is a 413 that names it', async () => {
    for (const path of ['feed', 'run']) {
      const response = await post(service, `/pipelines/p/${path}`, { items: [1, { id: 'a', note: 'n'.repeat(50_000) }] });
      expect(response.statusCode).toBe(413);
      expect(response.json()).toMatchObject({ code: 'value-too-large', errors: [{ path: '/items/1' }] });
    }
  });

  it('ends an NDJSON body at its line, with the items before it accepted', async () => {
    const payload = `"a"\n"b"\n"${'c'.repeat(50_000)}"\n"d"\n`;
    const headers = { 'content-type': 'application/x-ndjson' };
    const response = await service.app.inject({ method: 'POST', url: '/pipelines/p/feed', payload, headers });
    expect(response.statusCode).toBe(413);
    expect(response.json()).toMatchObject({ code: 'value-too-large', line: 3, accepted: 2 });
  });
});
