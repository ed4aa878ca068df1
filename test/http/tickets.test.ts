/** Single-use tickets: what `EventSource`, which sends no headers, opens an event stream with. */
import { once } from 'node:events';
import { type IncomingMessage, request as requestOf } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Start } from '../../src/http/guards/starting.ts';
import { createTickets } from '../../src/http/guards/tickets.ts';
import type { ApiKey } from '../../src/schemas/api-key.ts';
import { type Guarded, keysOf, startGuarded } from './access-harness.ts';
import { createLateClock, type LateClock } from './late-clock.ts';
import { connect, createManualClock } from './sse-harness.ts';

let clock: LateClock;
let service: Guarded;
/** The keys in force, which change as they do when the service reads them again. */
let keys: ApiKey[];

beforeEach(async () => {
  clock = createLateClock();
  keys = keysOf('all:read', 'a:read;pipelines=a', 'gone:read', 'late:read', 'feeder:feed', 'hand:work');
  service = await startGuarded(keys, { clock });
  for (const id of ['a', 'b']) await service.host.create({ id, stages: [{ name: 'S', tasks: ['echo'] }] });
});
afterEach(async () => {
  // Where a stream is cancelled, `fetch` opens a connection in advance; one without a request is not idle.
  service.app.server.closeAllConnections();
  await service[Symbol.asyncDispose]();
});

async function ticketFor(key: string | null, path: string): Promise<string> {
  const { status, body } = await service.as(key, 'POST', `${path}/tickets`);
  expect([status, body]).toEqual([201, { ticket: expect.stringMatching(/^slt_[\w-]{43}$/), expiresAt: expect.any(String) }]);
  return body.ticket;
}
const open = (path: string, headers = {}) => service.as(null, 'GET', path, undefined, headers);
const REFUSED = { status: 401, body: { code: 'invalid-ticket', instance: expect.not.stringContaining('ticket=') } };

describe('a ticket', () => {
  it.each(['/pipelines/a/events', '/events'])('opens %s once, without a key', async (path) => {
    const ticket = await ticketFor('all', path);
    expect((await open(path)).status).toBe(401);
    expect((await open(`${path}?ticket=${ticket}&types=status`)).status).toBe(200);
    const again = await open(`${path}?ticket=${ticket}`);
    expect(again).toMatchObject(REFUSED);
    expect(again.headers.get('www-authenticate')).toBe('Bearer realm="sluice"');
  });

  it('says until when it can be used, and is for nobody to keep', async () => {
    const before = Date.now();
    const { body, headers } = await service.as('all', 'POST', '/events/tickets', {});
    expect(Date.parse(body.expiresAt)).toBeGreaterThanOrEqual(before + 60_000);
    expect(Date.parse(body.expiresAt)).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('opens one stream of two that ask at the same time', async () => {
    const ticket = await ticketFor('all', '/events');
    const asked = await Promise.all(Array.from({ length: 8 }, () => open(`/events?ticket=${ticket}`)));
    expect(asked.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401, 401, 401, 401]);
  });

  it('is good for a minute', async () => {
    const ticket = await ticketFor('all', '/events');
    clock.advance(60_000);
    expect(await open(`/events?ticket=${ticket}`)).toMatchObject(REFUSED);
    const time = createManualClock();
    const tickets = createTickets({ clock: time, most: 10 });
    const holder = { name: 'k', sha256Hex: 'd' };
    const [one, other] = [tickets.issue(holder, null), tickets.issue(holder, null)];
    expect(one.expiresAt).toBe('1970-01-01T00:01:00.000Z');
    time.advance(59_999);
    expect(tickets.find(one.ticket, null).holder).toEqual(holder);
    time.advance(1);
    expect(() => tickets.find(other.ticket, null)).toThrow('expired');
  });

  it('is for its stream alone, and is not used up by another', async () => {
    const [ofA, ofAll] = [await ticketFor('all', '/pipelines/a/events'), await ticketFor('all', '/events')];
    for (const path of ['/pipelines/b/events', '/pipelines/none/events', '/events']) {
      expect(await open(`${path}?ticket=${ofA}`)).toMatchObject(REFUSED);
    }
    expect(await open(`/pipelines/a/events?ticket=${ofAll}`)).toMatchObject(REFUSED);
    for (const path of ['/pipelines/a/stats', '/pipelines/a/events/tickets', '/pipelines', '/whoami']) {
      expect((await open(`${path}?ticket=${ofA}`)).status).toBe(401);
    }
    expect((await open(`/pipelines/a/events?ticket=${ofA}`)).status).toBe(200);
    expect((await open(`/events?ticket=${ofAll}`)).status).toBe(200);
  });

  it.each(['', 'x', 'slt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', `slt_${'A'.repeat(44)}`, '%00', '__proto__'])(
    'that nobody was given is refused: %j',
    async (text) => {
      expect(await open(`/events?ticket=${text}`)).toMatchObject(REFUSED);
    },
  );

  it('is one: two in an address are none, and both can still be used', async () => {
    const [one, other] = [await ticketFor('all', '/events'), await ticketFor('all', '/events')];
    expect(await open(`/events?ticket=${one}&ticket=${other}`)).toMatchObject(REFUSED);
    for (const ticket of [one, other]) expect((await open(`/events?ticket=${ticket}`)).status).toBe(200);
  });

  it('together with a key is a fault that uses neither, but not with what a proxy asks for', async () => {
    const ticket = await ticketFor('all', '/events');
    const both = await service.as('all', 'GET', `/events?ticket=${ticket}`);
    expect(both).toMatchObject({ status: 400, body: { code: 'invalid-input', errors: [{ path: '/ticket' }] } });
    expect(JSON.stringify(both.body)).not.toContain(ticket);
    expect((await open(`/events?ticket=${ticket}`, { authorization: 'Basic dTpw' })).status).toBe(200);
  });

  it('shows what its key may see, and no more', async () => {
    const ticket = await ticketFor('a', '/events');
    const { port } = service.app.server.address() as AddressInfo;
    const client = await connect(port, `/events?ticket=${ticket}&types=result`);
    for (const id of ['b', 'a']) await service.host.get(id).run([id], {});
    await client.until(() => client.named('result').length > 0);
    expect(client.named('result')).toEqual([expect.objectContaining({ pipelineId: 'a' })]);
    client.destroy();
  });

  it('of a key that is gone, or has expired, is worthless', async () => {
    const [ofGone, ofLate] = [await ticketFor('gone', '/events'), await ticketFor('late', '/events')];
    keys.splice(
      keys.findIndex(({ name }) => name === 'gone'),
      1,
    );
    const late = keys.find(({ name }) => name === 'late') as ApiKey;
    late.expiresAt = clock.now();
    for (const ticket of [ofGone, ofLate]) {
      expect(await open(`/events?ticket=${ticket}`)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    }
  });

  it('has the rights that its key has when it is used', async () => {
    const [ticket, other] = [await ticketFor('gone', '/pipelines/a/events'), await ticketFor('gone', '/pipelines/b/events')];
    const key = keys.find(({ name }) => name === 'gone') as ApiKey;
    key.pipelines = new Set(['b']);
    expect((await open(`/pipelines/a/events?ticket=${ticket}`)).status).toBe(404);
    key.scopes = new Set(['feed']);
    expect((await open(`/pipelines/b/events?ticket=${other}`)).status).toBe(403);
  });

  it.each([
    ['feeder', '/events', 403],
    ['hand', '/pipelines/a/events', 403],
    ['a', '/pipelines/b/events', 404],
    ['all', '/pipelines/none/events', 404],
    [null, '/events', 401],
  ])('is not given to %s for %s: %i', async (key, path, status) => {
    expect((await service.as(key, 'POST', `${path}/tickets`)).status).toBe(status);
  });

  it('is not given to a page of another origin', async () => {
    const { status, body } = await service.as('all', 'POST', '/events/tickets', undefined, { 'sec-fetch-site': 'cross-site' });
    expect([status, body.code]).toEqual([403, 'cross-site-request']);
  });
});

describe('a ticket whose request is refused', () => {
  /** In the place of the service that each test has. */
  async function serve(lines: string[], options: Parameters<typeof startGuarded>[1]): Promise<void> {
    await service[Symbol.asyncDispose]();
    const other = await startGuarded(keysOf(...lines), { clock, ...options });
    onTestFinished(async () => {
      other.app.server.closeAllConnections();
      await other[Symbol.asyncDispose]();
    });
    await other.host.create({ id: 'a', stages: [{ name: 'S', tasks: ['echo'] }] });
    service = other;
  }
  const codeOf = async (path: string): Promise<unknown> => {
    const { status, body } = await open(path);
    return body === null ? status : [status, body.code];
  };

  it('since its key has sent too many, opens the stream later', async () => {
    await serve(['all:read;requests=1/10'], {});
    const ticket = await ticketFor('all', '/events');
    for (let i = 0; i < 3; i++) expect(await codeOf(`/events?ticket=${ticket}`)).toEqual([429, 'too-many-requests']);
    clock.advance(10_000);
    expect(await codeOf(`/events?ticket=${ticket}`)).toBe(200);
    clock.advance(10_000);
    expect(await codeOf(`/events?ticket=${ticket}`)).toEqual([401, 'invalid-ticket']);
  });

  it.each([{ maxStreams: 1 }, { maxStreamsPerKey: 1 }])('since streams are as many as may be, %j, opens one later', async (limits) => {
    await serve(['all:read'], { limits });
    const { port } = service.app.server.address() as AddressInfo;
    const [first, second] = [await ticketFor('all', '/pipelines/a/events'), await ticketFor('all', '/events')];
    const client = await connect(port, `/pipelines/a/events?ticket=${first}`);
    for (let i = 0; i < 3; i++) expect(await codeOf(`/events?ticket=${second}`)).toEqual([429, 'too-many-streams']);

    client.destroy();
    // The place is free once the service has seen its reader go.
    await expect.poll(() => codeOf(`/events?ticket=${second}`)).toBe(200);

    expect(await codeOf(`/events?ticket=${second}`)).toEqual([401, 'invalid-ticket']);
  });

  it('since the service starts, opens one of those that were asked for once it has started', async () => {
    const start = new Start();
    await serve(['all:read'], { start });
    start.isOver = true;
    const ticket = await ticketFor('all', '/events');
    start.isOver = false;
    start.trouble = 'the disk is full';
    for (let i = 0; i < 3; i++) expect(await codeOf(`/events?ticket=${ticket}`)).toEqual([503, 'starting']);
    start.trouble = null;
    start.isOver = true;
    const asked = await Promise.all(Array.from({ length: 4 }, () => codeOf(`/events?ticket=${ticket}`)));
    expect(asked.filter((one) => one === 200)).toHaveLength(1);
  });

  it.each(['types=nonsense', 'after=x', 'snapshotSeconds=-1'])(
    'since its query is not valid, %s, opens the stream without it',
    async (query) => {
      const ticket = await ticketFor('all', '/pipelines/a/events');
      expect(await codeOf(`/pipelines/a/events?ticket=${ticket}&${query}`)).toEqual([400, expect.any(String)]);
      expect(await codeOf(`/pipelines/a/events?ticket=${ticket}`)).toBe(200);
    },
  );

  it('late, after others have asked for theirs, is still the one that came in time', () => {
    const time = createManualClock();
    const tickets = createTickets({ clock: time, most: 10 });
    const holder = { name: 'k', sha256Hex: 'd' };
    const { ticket } = tickets.issue(holder, null);
    time.advance(59_999);
    const [found, again] = [tickets.find(ticket, null), tickets.find(ticket, null)];
    time.advance(5000);
    tickets.issue(holder, null);
    found.use();
    expect(() => again.use()).toThrow('used already');
  });
});

describe('unused tickets', () => {
  it('are a thousand for the keys of a name; one more is a 429 until the first has expired, for others nothing changes', async () => {
    for (let i = 0; i < 1000; i++) await service.app.inject(asking('all'));
    const refused = await service.app.inject(asking('all'));
    expect([refused.statusCode, refused.json().code, Number(refused.headers['retry-after']) > 30]).toEqual([429, 'too-many-tickets', true]);
    await ticketFor('a', '/events');
    clock.advance(60_000);
    await ticketFor('all', '/events');
  });

  const asking = (key: string) => ({
    method: 'POST' as const,
    url: '/events/tickets',
    headers: { authorization: `Bearer slc_${key}_0123456789abcdef` },
  });
});

describe('the text of a ticket', () => {
  /** Head and body of an answer to a target sent as it is: a client of the platform would cut a fragment off. Of a stream, the head alone. */
  async function rawAnswer(method: string, path: string, headers: Record<string, string>): Promise<string> {
    const { port } = service.app.server.address() as AddressInfo;
    const request = requestOf({ host: '127.0.0.1', port, method, path, headers, agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const isStream = response.headers['content-type'] === 'text/event-stream';
    if (isStream) response.destroy();
    return JSON.stringify([response.rawHeaders, isStream ? '' : await text(response)]);
  }

  it('is in no log line and no answer but the one that it came with', async () => {
    const answers: string[] = [];
    const ticket = await ticketFor('all', '/pipelines/a/events');
    const paths = [
      '/pipelines/a/events?after=x&ticket=*',
      '/pipelines/b/events?ticket=*',
      '/pipelines/a/events?ticket=*&ticket=*',
      '/pipelines/a/events?ticket=*&types=nonsense',
      '/pipelines/a/events?ticket=*',
      '/pipelines/a/events#ticket=*',
      '/pipelines/a/events?types=x#ticket=*',
      '/pipelines/%zz/events?ticket=*',
      '/pipelines/%zz?ticket=*',
      '/nowhere?ticket=*',
      '/pipelines?ticket=*',
      '/pipelines/a/items?limit=1&ticket=*',
      '/pipelines/a/events/tickets?ticket=*',
      '/docs/nothing?ticket=*',
      '/docs?ticket=*',
    ].map((path) => path.replaceAll('*', ticket));
    const key = { authorization: 'Bearer slc_all_0123456789abcdef' };
    for (const url of paths) {
      answers.push(await rawAnswer('GET', url, {}), await rawAnswer('GET', url, key), await rawAnswer('PUT', url, key));
    }
    expect(answers).toHaveLength(3 * paths.length);
    expect(answers.filter((text) => text.includes(ticket))).toEqual([]);
    expect(JSON.stringify(service.logs)).not.toContain(ticket);
  });

  // Of a flood of refusals only the first is told whole.
  it.each(['/pipelines/a/events#ticket=*', '/pipelines/a/events?types=x#ticket=*', '/pipelines/a/events?ticket=*', '/nowhere#*'])(
    'is not in what is told of the refusal of %s',
    async (path) => {
      const ticket = await ticketFor('all', '/pipelines/a/events');
      await rawAnswer('PUT', path.replace('*', ticket), { authorization: 'Bearer slc_all_0123456789abcdef' });
      const told = service.logs.filter(({ msg }) => msg === 'refused');
      expect(told).toMatchObject([{ path: path.replace(/[?#].*/, '') }]);
      expect(JSON.stringify(service.logs)).not.toContain(ticket);
    },
  );
});

describe('without keys', () => {
  it('tickets work all the same, so that a page need not know', async () => {
    const keyless = await startGuarded([]);
    onTestFinished(() => keyless[Symbol.asyncDispose]());
    const { body } = await keyless.as(null, 'POST', '/events/tickets');
    expect((await keyless.as(null, 'GET', `/events?ticket=${body.ticket}`)).status).toBe(200);
    expect(await keyless.as(null, 'GET', `/events?ticket=${body.ticket}`)).toMatchObject(REFUSED);
    expect((await keyless.as(null, 'GET', '/events')).status).toBe(200);
  });
});
