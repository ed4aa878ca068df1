/** `GET /`: the page for browsers, a text for everything else. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { pasteLines } from '../../src/http/page/paste-lines.ts';
import { type Guarded, keysOf, SMALL_PAGE, secretOf, startGuarded } from './access-harness.ts';
import { create, definition, get, type Service, startService } from './app-harness.ts';

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'accept-encoding': 'gzip, deflate, br' };

let open: Service;
let guarded: Guarded;
beforeAll(async () => {
  open = await startService({ page: SMALL_PAGE });
  await create(open, { ...definition('alpha'), description: 'one\nof them' });
  guarded = await startGuarded(keysOf('reader:read', 'feeder:feed', 'other:read;pipelines=beta'));
  for (const id of ['alpha', 'beta']) await guarded.host.create(definition(id));
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await guarded[Symbol.asyncDispose]();
});

describe('the page', () => {
  it('is sent to browsers, under a policy that lets in nothing but its own files', async () => {
    const { statusCode, headers, body } = await open.app.inject({ url: '/', headers: BROWSER });
    expect([statusCode, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(body).toContain('/assets/page.js');
    const policy = String(headers['content-security-policy']).split('; ');
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"]),
    );
    expect(policy.join()).not.toMatch(/unsafe|https?:|[*]/);
  });

  it('is asked for again each time, and sent again only when it is another', async () => {
    const { headers } = await open.app.inject({ url: '/', headers: BROWSER });
    expect(headers['cache-control']).toBe('no-cache');
    const again = await open.app.inject({ url: '/', headers: { ...BROWSER, 'if-none-match': `W/"other", ${headers.etag}` } });
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, '', headers.etag]);
    const other = await open.app.inject({ url: '/', headers: { ...BROWSER, 'if-none-match': '"other"' } });
    expect(other.statusCode).toBe(200);
  });

  it.each([
    ['gzip, deflate, br', 'br'],
    ['gzip', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['identity', undefined],
  ])('has files that may be kept for ever, in what the client takes: %s', async (accepted, coding) => {
    const response = await open.app.inject({ url: '/assets/page.js', headers: { 'accept-encoding': accepted } });
    expect(response.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect([response.headers['content-encoding'], response.headers.vary]).toEqual([coding, 'Accept, Accept-Encoding']);
    const unpack = coding === 'br' ? brotliDecompressSync : coding === 'gzip' ? gunzipSync : (sent: Buffer) => sent;
    expect(unpack(response.rawPayload).toString()).toBe('void 0;');
  });

  it.each(['/assets/none.js', '/assets/..%2Findex.html', '/assets/__proto__'])('has no other files: %s', async (url) => {
    const response = await open.app.inject({ url, headers: BROWSER });
    expect([response.statusCode, response.json().code, response.headers['cache-control']]).toEqual([404, 'not-found', 'no-store']);
  });

  it('is open without a key, and shows none of the data', async () => {
    const reply = await guarded.as(null, 'GET', '/', undefined, { accept: 'text/html' });
    expect([reply.status, reply.body]).toEqual([200, SMALL_PAGE.document.identity.toString()]);
  });

  it('is a text where it was not built', async () => {
    const bare = await startService();
    onTestFinished(() => bare[Symbol.asyncDispose]());
    const response = await bare.app.inject({ url: '/', headers: BROWSER });
    expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(response.body).toContain('npm run build');
  });
});

describe('the text', () => {
  it('has lines to paste for each pipeline, with the address that was asked', async () => {
    const { body, headers } = await open.app.inject({ url: '/', headers: { host: 'localhost:8123', accept: '*/*' } });
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(body).toContain('alpha (running): Only\n# one of them\n');
    expect(body).toContain("curl -s http://localhost:8123/pipelines/alpha/feed -H 'content-type: application/json' -d '{");
    expect(body).not.toContain('KEY');
  });

  it('says with a key which pipelines there are for it, and without one how to send one', async () => {
    const unknown = String((await guarded.as(null, 'GET', '/')).body);
    expect(unknown).toContain('export SLUICE_KEY=');
    expect(unknown).not.toMatch(/alpha|beta/);
    const reader = String((await guarded.as('reader', 'GET', '/')).body);
    expect(reader).toMatch(/^alpha .*^beta /ms);
    expect(reader).toContain('curl -s -H "authorization: Bearer $SLUICE_KEY" http');
    expect(String((await guarded.as('other', 'GET', '/')).body)).not.toContain('alpha');
    expect(String((await guarded.as('feeder', 'GET', '/')).body)).not.toMatch(/alpha|beta/);
    expect(reader).not.toContain(secretOf('reader'));
  });

  it.each(['evil;rm', "a'b", '$(id)'])('repeats no host that a shell would read: %s', async (host) => {
    const body = String((await guarded.as(null, 'GET', '/', undefined, {})).body);
    expect(body).toContain('http://127.0.0.1:');
    const { body: odd } = await guarded.app.inject({ url: '/', headers: { host } });
    expect(odd).not.toContain(host);
  });

  it('shows how to make a pipeline where there is none', async () => {
    const empty = await startService();
    onTestFinished(() => empty[Symbol.asyncDispose]());
    const [, made, id] = /-d '(\{"id": "(\w+)".*)'$/m.exec((await get(empty, '/')).body) ?? [];
    const reply = await empty.app.inject({ method: 'POST', url: '/pipelines', payload: { ...JSON.parse(String(made)) } });
    // The tasks of the harness are others.
    expect([id, reply.json().code]).toEqual(['hashes', 'unknown-task']);
  });

  it('has nothing of a definition that acts on a terminal', () => {
    const odd = 'a\u001b]0;owned\u0007\u009b31m\n\u202eb\u2028';
    const pipelines = [{ id: 'p', description: odd, state: 'running', stages: [odd] }];
    const text = pasteLines({ origin: 'http://h', version: '1', needsKey: false, isKnown: true, pipelines, hasPage: true });
    expect(text).toContain('p (running): a ]0;owned 31m b \n# a ]0;owned 31m b \n');
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
  });

  it('names five, and how to list the others', () => {
    const pipelines = Array.from({ length: 7 }, (_, i) => ({ id: `p${i}`, description: null, state: 'running', stages: ['S'] }));
    const text = pasteLines({ origin: 'http://h', version: '1', needsKey: false, isKnown: true, pipelines, hasPage: true });
    expect(text.match(/^p\d /gm)).toHaveLength(5);
    expect(text).toContain('And 2 more:\n\n  curl -s http://h/pipelines\n');
  });
});
