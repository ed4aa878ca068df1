import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { createRefusals, type Refusal } from '../../src/http/problems/refusals.ts';
import type { ErrorCode } from '../../src/schemas/problem.ts';
import { collectingLogger, type LogLine } from '../engine/harness.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { type Guarded, keysOf, secretOf, startGuarded } from './access-harness.ts';
import { prepare, requestOf } from './every-route.ts';

const refusal = (more: Partial<Refusal> = {}): Refusal => ({
  key: 'ci',
  method: 'POST',
  route: '/pipelines/:id/feed',
  path: '/pipelines/p/feed',
  code: 'invalid-input',
  requestId: 'r-1',
  ...more,
});

function virtual() {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  return { clock, lines, refusals: createRefusals({ clock, logger: collectingLogger(lines) }) };
}

describe('a flood of refusals', () => {
  it('is the first of each kind, and a second later how many more there were', async () => {
    const { clock, lines, refusals } = virtual();
    for (let i = 0; i < 1000; i++) refusals.note(refusal({ requestId: `r-${i}` }));
    refusals.note(refusal({ code: 'malformed-json' }));
    refusals.note(refusal({ key: 'other' }));
    expect(lines.map(({ message, fields }) => [message, fields])).toEqual([
      ['refused', { ...kindOf('ci', 'invalid-input'), path: '/pipelines/p/feed', reqId: 'r-0' }],
      ['refused', { ...kindOf('ci', 'malformed-json'), path: '/pipelines/p/feed', reqId: 'r-1' }],
      ['refused', { ...kindOf('other', 'invalid-input'), path: '/pipelines/p/feed', reqId: 'r-1' }],
    ]);
    await clock.advance(999);
    expect(lines).toHaveLength(3);
    await clock.advance(1);
    expect(lines.slice(3).map(({ level, message, fields }) => [level, message, fields])).toEqual([
      ['warn', 'refused again', { ...kindOf('ci', 'invalid-input'), times: 999, seconds: 1 }],
    ]);
    expect(clock.pending).toBe(0);
  });

  it('that goes on is two lines of a kind in each second, and loses none', async () => {
    const { clock, lines, refusals } = virtual();
    for (let i = 0; i < 500; i++) {
      refusals.note(refusal());
      await clock.advance(10);
    }
    await clock.advance(1000);
    expect(lines).toHaveLength(10);
    const told = lines.reduce((sum, { fields }) => sum + ((fields as { times?: number }).times ?? 1), 0);
    expect(told).toBe(500);
    expect(refusals.counts()).toEqual([{ route: '/pipelines/:id/feed', code: 'invalid-input', status: 400, count: 500 }]);
  });

  it('is told to its end when the service closes in the middle of it', () => {
    const { clock, lines, refusals } = virtual();
    for (let i = 0; i < 7; i++) refusals.note(refusal());
    refusals.flush();
    expect(lines.map(({ fields }) => (fields as { times?: number }).times)).toEqual([undefined, 6]);
    expect(clock.pending).toBe(0);
    refusals.flush();
    expect(lines).toHaveLength(2);
  });

  it('has counters that neither fall nor grow in number with what clients make up', () => {
    const { refusals } = virtual();
    for (let i = 0; i < 100; i++)
      refusals.note(refusal({ key: null, claimedKey: `made-up-${i}`, route: null, path: `/${i}`, code: 'unauthenticated' }));
    refusals.flush();
    refusals.note(refusal({ route: null, code: 'unauthenticated' }));
    expect(refusals.counts()).toEqual([{ route: 'none', code: 'unauthenticated', status: 401, count: 101 }]);
  });

  it('has lines of bounded length, of one line each', () => {
    const { lines, refusals } = virtual();
    refusals.note(refusal({ path: `/a\n{"level":60}\u001b[31m\u202e${'x'.repeat(10_000)}` }));
    const [{ fields }] = lines as [LogLine];
    const { path } = fields as { path: string };
    expect(path).toMatch(/^[ -~]+…$/);
    expect(path.length).toBe(201);
  });
});

function kindOf(key: string, code: ErrorCode) {
  return { key, method: 'POST', route: '/pipelines/:id/feed', status: 400, code };
}

describe('a refused request', () => {
  let service: Guarded;
  afterEach(() => service[Symbol.asyncDispose]());
  const refused = () => service.logs.filter(({ msg }) => msg === 'refused');

  it('of any route is one line with the key, the route and the code, and is counted', async () => {
    service = await startGuarded(keysOf('admin:admin', 'poor:work', 'feeder:feed', 'stranger:feed'));
    service.host.limiters.define('shared', { concurrency: 5 });
    await prepare(service);
    const routes = service.app.routeAccess.filter(({ method, scope }) => method !== 'HEAD' && scope !== 'public');
    expect(routes.length).toBeGreaterThan(40);
    const clock = service.app.refusals;
    for (const { method, url } of routes) {
      const route = `${method} ${url}`;
      const [path, body] = requestOf(route);
      // Without a key, with a wrong one, and with one that may not.
      clock?.flush();
      service.logs.length = 0;
      expect((await service.as(null, method, path, body)).status, route).toBe(401);
      const wrong = await fetch(`${addressOf(service)}${path}`, { method, headers: { authorization: `Bearer ${secretOf('nobody')}x` } });
      expect(wrong.status, route).toBe(401);
      clock?.flush();
      const lines = service.logs.filter(({ msg }) => msg === 'refused' || msg === 'refused again');
      expect(lines, route).toMatchObject([
        { level: 40, key: null, method, route: url, status: 401, code: 'unauthenticated', remoteAddress: '127.0.0.1' },
        { key: null, method, route: url, times: 1 },
      ]);
      const poor = await service.as('poor', method, path, body);
      if (poor.status < 400) continue;
      expect(refused().at(-1), route).toMatchObject({ key: 'poor', method, route: url, status: poor.status, code: poor.body.code });
    }
    const counts = service.app.refusals?.counts() ?? [];
    for (const { url } of routes) {
      const found = counts.find(({ route, code }) => route === url && code === 'unauthenticated');
      expect(found?.count, url).toBe(2 * routes.filter((other) => other.url === url).length);
    }
  });

  it('to feed or run says which key, whatever was wrong, and nothing of its body', async () => {
    service = await startGuarded(keysOf('ci:feed+admin'), { bodyLimitBytes: 1024 });
    await service.as('ci', 'POST', '/pipelines', { id: 'p', stages: [{ name: 'S', tasks: ['echo'] }] });
    const sent: [path: string, body: unknown, code: string, route?: string | null][] = [
      ['/pipelines/p/feed', { itemz: ['hunter2'] }, 'invalid-input'],
      ['/pipelines/p/feed', '{"a":1}\nhunter2\n', 'malformed-line'],
      ['/pipelines/nope/feed', { items: [1] }, 'pipeline-not-found'],
      ['/pipelines/p/feed', { items: ['x'.repeat(2000)] }, 'body-too-large'],
      ['/pipelines/p/feed?ticket=hunter2', { items: [1] }, 'invalid-input'],
      ['/pipelines/nope/run', { items: [1] }, 'pipeline-not-found', '/pipelines/:id/run'],
      ['/pipelines/p/run', '{"a":', 'malformed-line', '/pipelines/:id/run'],
      ['/hunted', { items: [1] }, 'not-found', null],
    ];
    for (const [path, body, code, route = '/pipelines/:id/feed'] of sent) {
      service.app.refusals?.flush();
      service.logs.length = 0;
      const { body: problem, headers } = await service.as('ci', 'POST', path, body);
      expect(problem.code).toBe(code);
      expect(service.logs, path).toMatchObject([
        { msg: 'refused', key: 'ci', method: 'POST', route, status: problem.status, code, reqId: headers.get('x-request-id') },
      ]);
      expect(JSON.stringify(service.logs)).not.toContain('hunter2');
    }
  });

  it('after its results have begun is a line as well', async () => {
    service = await startGuarded(keysOf('ci:feed+admin'));
    await service.as('ci', 'POST', '/pipelines', { id: 'p', stages: [{ name: 'S', tasks: ['echo'] }] });
    const { status, body } = await service.as('ci', 'POST', '/pipelines/p/run', '1\n{', { accept: 'application/x-ndjson' });
    expect([status, body]).toEqual([200, expect.stringContaining('malformed-line')]);
    expect(refused()).toMatchObject([{ key: 'ci', route: '/pipelines/:id/run', status: 400, code: 'malformed-line' }]);
  });

  it.each([
    ['what is not HTTP', 'nonsense\r\n\r\n', 'bad-request', null],
    ['too many headers', `GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 'headers-too-large', null],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n', 'bad-request', '/livez'],
    ['an address that cannot be decoded', 'GET /pipelines/%zz HTTP/1.1\r\nhost: localhost\r\n\r\n', 'bad-request', null],
    ['a method that a route does not take', 'PATCH /livez HTTP/1.1\r\nhost: localhost\r\n\r\n', 'unauthenticated', null],
    [
      'another site',
      'POST /shutdown HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n',
      'cross-site-request',
      '/shutdown',
    ],
  ])('before it is routed (%s) is a line', async (_what, text, code, route) => {
    service = await startGuarded(keysOf('ci:feed'));
    await exchange(text);
    expect(refused()).toMatchObject([{ level: 40, key: null, route, code, reqId: expect.any(String), remoteAddress: '127.0.0.1' }]);
    expect(service.app.refusals?.counts()).toMatchObject([{ route: route ?? 'none', code, count: 1 }]);
  });

  it('for another host is a line', async () => {
    service = await startGuarded([]);
    await exchange('GET /pipelines HTTP/1.1\r\nhost: evil.example\r\n\r\n');
    expect(refused()).toMatchObject([{ key: null, route: '/pipelines', status: 421, code: 'misdirected-request' }]);
  });

  it('whose body is cut off is a line, though nobody is left to be told', async () => {
    service = await startGuarded(keysOf('ci:feed+admin'));
    await service.as('ci', 'POST', '/pipelines', { id: 'p', stages: [{ name: 'S', tasks: ['gated'] }] });
    for (const type of ['application/json', 'application/x-ndjson']) {
      service.app.refusals?.flush();
      service.logs.length = 0;
      const noted = Promise.withResolvers<void>();
      const { push } = service.logs;
      service.logs.push = (...lines) => {
        const length = push.apply(service.logs, lines);
        if (refused().length > 0) noted.resolve();
        return length;
      };
      const socket = connect((service.app.server.address() as AddressInfo).port, '127.0.0.1');
      onTestFinished(() => void socket.destroy());
      const asked = once(service.app.server, 'request');
      const head = `POST /pipelines/p/feed HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${secretOf('ci')}\r\n`;
      socket.write(`${head}content-type: ${type}\r\ncontent-length: 1000\r\n\r\n{"a`);
      await asked;
      socket.destroy();
      await noted.promise;
      service.logs.push = push;
      expect(refused(), type).toMatchObject([{ key: 'ci', route: '/pipelines/:id/feed', status: 400, code: 'bad-request' }]);
    }
  });

  it('names the key that it claims to come from, and counts as one kind whatever it claims', async () => {
    service = await startGuarded(keysOf('ci:feed'));
    for (const name of ['ci', 'cj', 'ck']) {
      const headers = { authorization: `Bearer slc_${name}_wrong-wrong-wrong-wrong` };
      await fetch(`${addressOf(service)}/pipelines`, { headers });
    }
    service.app.refusals?.flush();
    const lines = service.logs.filter(({ msg }) => msg === 'refused' || msg === 'refused again');
    expect(lines).toMatchObject([{ key: null, claimedKey: 'ci', code: 'unauthenticated' }, { times: 2 }]);
    expect(JSON.stringify(service.logs)).not.toContain('wrong-wrong');
  });

  async function exchange(text: string): Promise<void> {
    const socket = connect((service.app.server.address() as AddressInfo).port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(text);
    await once(socket, 'data');
  }
});

function addressOf({ app }: Guarded): string {
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}
