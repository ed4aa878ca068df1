import { afterAll, describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { httpRequest } from '../../tasks/http_request.ts';
import { createHttpClient } from '../../tasks/kit/http-client.ts';
import { isSameOrigin, type Outgoing, redirected } from '../../tasks/kit/redirects.ts';
import { runDefined } from './defined.ts';
import { serve } from './http-server.ts';
import { use } from './running.ts';

const client = createHttpClient({ allowHosts: ['127.0.0.1', 'localhost'] });
afterAll(() => client.close());
const task = httpRequest(client);

const SECRET = 'hunter22';
const EVERY_KIND = {
  Authorization: 'Bearer k',
  'proxy-authorization': 'Basic k',
  cookie: 'c=1',
  'X-Api-Key': 'k',
  'x-auth-token': 'k',
  referer: 'http://inside.example/?k=1',
  origin: 'http://inside.example',
  host: 'inside.example',
  from: 'k',
  'if-none-match': 'k',
  'accept-language': 'de',
  Accept: 'text/plain',
  'user-agent': 'sluice-test',
};

/** A server that sends on to another one, and that one. */
async function twoServers(status: number) {
  const other = await serve((_request, reply) => reply.end('other'));
  const first = await serve((_request, reply) => reply.writeHead(status, { location: `${other.origin}/there` }).end());
  return { first, other };
}

async function thrownBy(given: unknown) {
  return use(
    task,
    given,
  )({ id: 1 }).then(
    (result) => expect.fail(`it answered ${JSON.stringify(result)}`),
    (error: Error) => describeThrown(error),
  );
}

it.each([
  ['/für/€?q=ß', '/f%C3%BCr/%E2%82%AC?q=%C3%9F', 'utf8'],
  ['/für', '/f%FCr', 'latin1'],
  ['/f%C3%BCr', '/f%C3%BCr', 'latin1'],
] as const)('a redirect to %s goes to %s, byte by byte as the server says', async (location, path, encoding) => {
  const server = await serve((request, reply) => {
    if (request.url !== '/') return reply.end('there');
    // Node writes the characters of a header as bytes.
    return reply.writeHead(302, { location: Buffer.from(location, encoding).toString('latin1') }).end();
  });
  expect(await use(task, { url: server.origin })(null)).toMatchObject({ status: 200, url: `${server.origin}${path}` });
  expect(server.seen[1]?.url).toBe(path);
});

describe('a redirect to another origin', () => {
  it.each([301, 302, 303, 307, 308])('with %i takes only harmless headers along', async (status) => {
    const { first, other } = await twoServers(status);
    await use(task, { url: first.origin, headers: EVERY_KIND })(null);
    expect(Object.keys(first.seen[0]?.headers ?? {})).toEqual(expect.arrayContaining(['x-api-key', 'authorization', 'cookie']));
    expect(other.seen[0]?.headers).toEqual({
      accept: 'text/plain',
      'accept-language': 'de',
      'user-agent': 'sluice-test',
      host: new URL(other.origin).host,
      connection: 'keep-alive',
    });
  });

  it.each([301, 302, 303])('with %i turns a POST into a GET without its body', async (status) => {
    const { first, other } = await twoServers(status);
    const answer = await use(task, { url: first.origin, method: 'POST', body: { card: '4111' }, headers: { 'x-api-key': 'k' } })(null);
    expect(answer).toMatchObject({ status: 200, url: `${other.origin}/there` });
    expect(other.seen[0]).toMatchObject({ method: 'GET', body: '' });
    for (const name of ['content-type', 'content-length', 'x-api-key']) expect(other.seen[0]?.headers).not.toHaveProperty(name);
  });

  it.each([
    [307, 'POST', 'b', 'a body'],
    [308, 'PUT', { a: 1 }, 'a body'],
    [301, 'PUT', 'b', 'a body'],
    [302, 'DELETE', 'b', 'a body'],
    [307, 'DELETE', undefined, 'a DELETE'],
    [308, 'POST', undefined, 'a POST'],
  ])('with %i is not followed by a %s of %j', async (status, method, body, what) => {
    const { first, other } = await twoServers(status);
    const thrown = await thrownBy({ url: first.origin, method, ...(body !== undefined && { body }) });
    expect(thrown).toMatchObject({ type: 'RedirectRefused', permanent: true });
    expect(thrown.message).toBe(
      `the redirect (${status}) is not followed: it leads to another origin, and the request ${what === 'a body' ? 'has a body' : `is ${what}`}`,
    );
    expect(other.seen).toHaveLength(0);
  });

  it('and back again has lost what it left behind', async () => {
    const second = await serve((_request, reply) => reply.writeHead(302, { location: `${first.origin}/end` }).end());
    const first = await serve((request, reply) => {
      if (request.url === '/end') reply.end('home');
      else reply.writeHead(302, { location: second.origin }).end();
    });
    await use(task, { url: first.origin, headers: { 'x-api-key': 'k', accept: 'a/b' } })(null);
    expect(first.seen[1]).toMatchObject({ url: '/end', headers: { accept: 'a/b' } });
    expect(first.seen[1]?.headers).not.toHaveProperty('x-api-key');
  });

  it('is one by another name of the same machine too', async () => {
    const other = await serve((_request, reply) => reply.end());
    const { port } = new URL(other.origin);
    const first = await serve((_request, reply) => reply.writeHead(302, { location: `http://localhost:${port}/` }).end());
    await use(task, { url: first.origin, headers: { 'x-api-key': 'k' } })(null);
    expect(other.seen[0]?.headers).not.toHaveProperty('x-api-key');
  });

  it('is not told in the error', async () => {
    const { first, other } = await twoServers(307);
    const { results, logs } = await runDefined(
      { tasks: [{ task: 'http_request', with: { url: first.origin, method: 'POST', body: 'b' } }] },
      [1],
    );
    expect(results[0]?.error?.message).not.toContain(new URL(other.origin).port);
    expect(logs).toMatchObject([{ level: 'warn', fields: { location: `${other.origin}/there`, from: first.origin } }]);
  });
});

describe('a redirect within the origin', () => {
  it.each(['/end', 'end', '//HOST/end', '\\\\HOST\\end', '/\\HOST/end', 'http://HOST/end', 'HTTP://HOST/end#part', '?a=1/../end'])(
    'keeps everything: %s',
    async (location) => {
      const server = await serve((request, reply) => {
        if (request.url === '/') reply.writeHead(307, { location: location.replace('HOST', new URL(server.origin).host) }).end();
        else reply.end('here');
      });
      const headers = { 'x-api-key': 'k', authorization: 'a', cookie: 'c=1' };
      await use(task, { url: server.origin, method: 'POST', body: 'b', headers })(null);
      expect(server.seen[1]).toMatchObject({ method: 'POST', body: 'b', headers });
    },
  );

  it('keeps secrets', async () => {
    const server = await serve((request, reply) => {
      if (request.url === '/') reply.writeHead(302, { location: '/end' }).end();
      else reply.end('here');
    });
    const tasks = [{ task: 'http_request', with: { url: server.origin, headers: { 'x-api-key': '{{ secrets.API }}' } } }];
    const { results } = await runDefined({ tasks }, [1], { secrets: { API: SECRET } });
    expect(results[0]?.error).toBeNull();
    expect(server.seen[1]?.headers).toMatchObject({ 'x-api-key': SECRET });
  });
});

describe('with a secret', () => {
  it.each([
    ['in a header', { headers: { 'x-api-key': '{{ secrets.API }}' } }],
    ['in an ordinary header', { headers: { accept: 'text/{{ secrets.API }}' } }],
    ['in base64', { headers: { authorization: "Basic {{ $base64encode('u:' & secrets.API) }}" } }],
    ['that nothing recognises', { headers: { 'x-a': '{{ $uppercase($substring(secrets.API, 1, 5)) }}' } }],
    ['in the address', { query: '?k={{ secrets.API }}' }],
    ['in a body that would be left out', { method: 'POST', body: { k: '{{ secrets.API }}' } }],
    ['of which only the length is sent', { headers: { 'x-a': '{{ $string($length(secrets.API)) }}' } }],
    ['by another way to name it', { headers: { 'x-a': '{{ `secrets`.API }}' } }],
    ['that came in a value', { headers: { 'x-a': '{{ value }}' } }],
    ['that came in a value, in base64', { headers: { 'x-a': "{{ $base64encode('me:' & value) }}" } }],
    ['that came in a value, in the path', { query: '{{ $encodeUrlComponent(value) }}' }],
    ['that came in a value, in a body', { method: 'POST', body: { k: ['{{ value }}'] } }],
  ])('%s a redirect is followed within the origin only', async (_, { query = '', ...given }: Record<string, unknown>) => {
    const { first, other } = await twoServers(302);
    const tasks = [{ task: 'http_request', with: { ...given, url: `${first.origin}/${query}` } }];
    const { results } = await runDefined({ tasks }, [SECRET], { secrets: { API: SECRET } });
    expect(results[0]?.error).toMatchObject({
      type: 'RedirectRefused',
      message: 'the redirect (302) is not followed: it leads to another origin, and the request holds a secret',
      attempts: 1,
    });
    expect(first.seen).toHaveLength(1);
    expect(other.seen).toHaveLength(0);
  });

  it('a request too large to be searched for one is not looked through, and not redirected to another origin', async () => {
    const { first, other } = await twoServers(303);
    const send = async (body: string) =>
      (
        await runDefined({ tasks: [{ task: 'http_request', with: { method: 'POST', url: first.origin, body: '{{ value }}' } }] }, [body], {
          secrets: { API: SECRET },
        })
      ).results[0];
    expect(await send('%'.repeat(60_000))).toMatchObject({ value: { status: 200 }, error: null });
    const refused = await send('%'.repeat(900_000));
    expect(refused?.error).toMatchObject({
      type: 'RedirectRefused',
      message: expect.stringContaining('too large to be searched for secrets'),
    });
    expect(other.seen).toHaveLength(1);
  });

  it('a hook does not follow one either, and what it tells of an error holds none', async () => {
    const other = await serve((_request, reply) => reply.end());
    const first = await serve((_request, reply) => reply.writeHead(302, { location: other.origin }).end());
    const failing = await serve((request, reply) => reply.writeHead(404).end(`no such thing: ${request.headers['x-api-key']}`));
    const headers = { 'x-api-key': '{{ secrets.API }}' };
    const { logs } = await runDefined(
      {
        tasks: [{ task: 'http_request', with: { url: failing.origin, headers } }],
        onFailure: { task: 'http_notify', with: { url: first.origin, headers } },
      },
      [1],
      { secrets: { API: SECRET } },
    );
    expect(other.seen).toHaveLength(0);
    expect(JSON.parse(first.seen[0]?.body ?? '')).toMatchObject({
      error: { type: 'HttpStatus', message: 'the server answered 404: no such thing: [secret API]' },
    });
    expect(logs).toContainEqual({
      level: 'warn',
      text: 'a hook threw; the item is not affected',
      fields: expect.objectContaining({ error: expect.objectContaining({ type: 'RedirectRefused' }) }),
    });
  });

  it('a template of a hook sees of an error what everybody sees', async () => {
    const told = await serve((_request, reply) => reply.end());
    const failing = await serve((request, reply) => reply.writeHead(404).end(`bad key ${request.headers['x-api-key']}`));
    await runDefined(
      {
        tasks: [{ task: 'http_request', with: { url: failing.origin, headers: { 'x-api-key': '{{ secrets.API }}' } } }],
        onFailure: { task: 'http_notify', with: { url: told.origin, body: '{{ error.message }}' } },
      },
      [1],
      { secrets: { API: SECRET } },
    );
    expect(told.seen[0]?.body).toBe('the server answered 404: bad key [secret API]');
  });
});

describe('a redirect that is none', () => {
  it.each([
    ['file:///etc/passwd', 'only http: and https: are fetched, not file:'],
    ['data:text/plain,x', 'only http: and https: are fetched, not data:'],
    ['javascript:alert(1)', 'only http: and https: are fetched, not javascript:'],
    ['ftp://127.0.0.1/', 'only http: and https: are fetched, not ftp:'],
    ['http://user:secret@127.0.0.1/', 'a URL must not hold a user name or a password'],
    ['//user@127.0.0.1/', 'a URL must not hold a user name or a password'],
    ['http://[::1', 'it names no valid URL'],
    ['http://127.0.0.1:99999/', 'it names no valid URL'],
  ])('is refused: %s', async (location, why) => {
    const server = await serve((_request, reply) => reply.writeHead(302, { location }).end());
    const thrown = await thrownBy({ url: server.origin });
    expect(thrown).toMatchObject({ type: 'RedirectRefused', permanent: true, message: `the redirect (302) is not followed: ${why}` });
  });

  it('names two places', async () => {
    const server = await serve((_request, reply) =>
      reply
        .writeHead(
          302,
          [
            ['location', '/a'],
            ['location', '/b'],
          ].flat(),
        )
        .end(),
    );
    expect(await thrownBy({ url: server.origin })).toMatchObject({
      type: 'RedirectRefused',
      message: expect.stringContaining('several Location headers'),
    });
    expect(server.seen).toHaveLength(1);
  });

  it('goes round in a circle, over two servers', async () => {
    const second = await serve((_request, reply) => reply.writeHead(302, { location: first.origin }).end());
    const first = await serve((_request, reply) => reply.writeHead(302, { location: second.origin }).end());
    expect(await thrownBy({ url: first.origin, maxRedirects: 6 })).toMatchObject({ permanent: true, message: 'more than 6 redirects' });
    expect(first.seen.length + second.seen.length).toBe(7);
  });
});

describe('the request after a redirect', () => {
  const from = (url: string, rest: Partial<Outgoing> = {}): Outgoing => ({
    url: new URL(url),
    method: 'GET',
    headers: { 'x-api-key': 'k' },
    body: undefined,
    ...rest,
  });
  const next = (url: string, location: string) => redirected(from(url), 302, location, () => false);

  it('is never one from https: to http:', () => {
    for (const location of ['http://a.example/', 'http://a.example:443/', 'http://other.example/'])
      expect(() => next('https://a.example/', location)).toThrow('it leads from https: to http:');
  });

  it('leaves keys behind on the way from http: to https:', () => {
    expect(next('http://a.example/', 'https://a.example/')).toMatchObject({ headers: {} });
  });

  it.each([
    ['https://a.example/', 'https://A.EXAMPLE:443/x', true],
    ['http://a.example/', 'http://a.example:80/x', true],
    ['http://a.example/', 'http://a.example./x', false],
    ['http://api/', 'http://api./x', false],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/x', true],
    ['http://127.0.0.1/', 'http://0x7f.1/x', true],
    ['http://[::1]/', 'http://[0:0:0:0:0:0:0:1]:80/', true],
    ['http://a.example/', 'http://a.example:8080/', false],
    ['http://a.example/', 'http://b.a.example/', false],
    ['http://a.example/', 'http://a.example.evil.example/', false],
    ['http://a.example/', 'http://a.example%2eevil.example/', false],
    ['http://a.example/', '//evil.example/', false],
    ['http://a.example/', '\\\\evil.example/', false],
    ['http://a.example/', '/\t/evil.example/', false],
    ['http://a.example/', 'http:\\\\evil.example', false],
    ['http://a.example/', 'http://ａ.example/', true],
    ['http://127.0.0.1/', 'http://[::ffff:127.0.0.1]/', false],
  ])('from %s to %s stays within the origin: %s', (url, location, isSame) => {
    expect(isSameOrigin(new URL(url), new URL(location, url))).toBe(isSame);
    expect(next(url, location).headers).toEqual(isSame ? { 'x-api-key': 'k' } : {});
  });
});
