/** Names that no address can have, and ids that show as something else than they are. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeAll(async () => {
  service = await startService();
  await create(service, definition('p', 'picky'));
  await service.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => service[Symbol.asyncDispose]());

const DOTS = ['.', '..'];
/** Nothing of them is shown, or something else is. */
const HIDDEN = [
  ['a tab', '\t'],
  ['a delete character', '\u007f'],
  ['a C1 control character', '\u0085'],
  ['a soft hyphen', '\u00ad'],
  ['an Arabic letter mark', '\u061c'],
  ['a zero-width space', '\u200b'],
  ['a zero-width joiner', '\u200d'],
  ['a right-to-left mark', '\u200f'],
  ['a line separator', '\u2028'],
  ['a paragraph separator', '\u2029'],
  ['a right-to-left override', '\u202e'],
  ['a word joiner', '\u2060'],
  ['a first strong isolate', '\u2068'],
  ['a byte order mark', '\ufeff'],
  ['an interlinear annotation', '\ufff9'],
  ['a musical format character', '\u{1d173}'],
  ['a tag', '\u{e0041}'],
] as const;
const BAD_IDS: (readonly [string, string])[] = [
  ...DOTS.map((id) => [id, id] as const),
  ...HIDDEN.map(([what, c]) => [what, `a${c}b`] as const),
];
const GOOD_IDS = [
  '...',
  '.a',
  'a..',
  '../..',
  'a/../b',
  '%2e%2e',
  '%2E',
  'https://example.com/a?b=c#d',
  'ÄÖ é',
  '語',
  '🚀',
  'שלום',
  ' ',
  '\u00a0',
];

const fed = async () => (await get(service, '/pipelines/p/stats')).json().itemsFed;
const ndjson = (url: string, payload: string) =>
  service.app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/x-ndjson' } });

describe('an item', () => {
  it.each(BAD_IDS)('cannot go by %s, in any kind of body', async (_what, id) => {
    const before = await fed();
    for (const url of ['/pipelines/p/feed', '/pipelines/p/run']) {
      const json = await post(service, url, { items: [{ id: 'good' }, { id, value: 1 }] });
      expect([json.statusCode, json.json().code, json.json().errors?.[0]?.path ?? '']).toEqual([400, 'invalid-input', '/items/1/id']);
      const lines = await ndjson(url, `{"id":${JSON.stringify(id)},"value":1}\n`);
      expect(lines.statusCode).toBe(400);
    }
    expect(await fed()).toBe(before);
  });

  it.each(GOOD_IDS)('can go by %j, and is found by it', async (id) => {
    const reply = await feed(service, 'p', [{ id, value: 1 }]);
    expect([reply.statusCode, reply.json().ids]).toEqual([202, [id]]);
    const address = `/pipelines/p/items/${encodeURIComponent(id)}`;
    expect((await get(service, address)).json()).toMatchObject({ id });
    expect(await post(service, '/pipelines/p/wait', { itemIds: [id] }).then((waited) => waited.json().done[0].id)).toBe(id);
  });

  it('keeps the form that its id was given in: two spellings are two items', async () => {
    const [composed, apart] = ['\u00e9', 'e\u0301'];
    const reply = await feed(service, 'p', [{ id: composed }, { id: apart }]);
    expect(reply.json()).toMatchObject({ accepted: 2, ids: [composed, apart] });
  });

  it('that was fed without a name is not asked for one', async () => {
    expect((await feed(service, 'p', ['..', { name: '\u202e' }])).json().accepted).toBe(2);
  });
});

describe('a name of . or ..', () => {
  it.each(DOTS)('%s is no id of a pipeline', async (id) => {
    expect((await create(service, definition(id))).json()).toMatchObject({ status: 400, code: 'invalid-input', errors: [{ path: '/id' }] });
    expect((await get(service, '/pipelines')).json().pipelines.map((pipeline: { id: string }) => pipeline.id)).toEqual(['p']);
  });

  it.each(DOTS)('%s is no name of a stage', async (name) => {
    const reply = await create(service, { id: 'q', stages: [{ name, tasks: ['echo'] }] });
    expect(reply.json()).toMatchObject({ status: 400, code: 'invalid-input', errors: [{ path: '/stages/0/name' }] });
  });

  it.each(DOTS)('%s is no id of a feed', async (feedId) => {
    expect((await feed(service, 'p', [1], { feedId })).json()).toMatchObject({ status: 400, errors: [{ path: '/feedId' }] });
    expect((await ndjson(`/pipelines/p/feed?feedId=${feedId}`, '1\n')).statusCode).toBe(400);
    expect((await post(service, `/pipelines/p/run?feedId=${feedId}`, { items: [1] })).statusCode).toBe(400);
  });

  it('is fine as a part of a longer one', async () => {
    expect((await feed(service, 'p', [1], { feedId: '...' })).statusCode).toBe(202);
    expect((await get(service, '/pipelines/p/feeds/...')).statusCode).toBe(200);
  });
});

describe('an address with . or .. in it, as no client of the web sends it', () => {
  /** Sends the target as it is: `fetch` and `inject` would tidy it up. */
  async function status(method: string, target: string, body = ''): Promise<number> {
    const socket = connect((service.app.server.address() as AddressInfo).port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.end(
      `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    await once(socket, 'close');
    return Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
  }

  it.each(['..', '.', '%2e%2e', '%2E%2e', '.%2e', '%2e'])('is taken as the name %s, and nothing has it', async (name) => {
    await service.host.get('p').run(['bad'], {});
    const { itemsFailed } = (await get(service, '/pipelines/p/stats')).json();
    for (const [method, target] of [
      ['POST', `/pipelines/p/items/${name}/retry`],
      ['DELETE', `/pipelines/p/items/${name}`],
      ['GET', `/pipelines/p/items/${name}`],
      ['DELETE', `/pipelines/p/feeds/${name}`],
      ['POST', `/pipelines/p/feeds/${name}/retry`],
      ['POST', `/pipelines/${name}/pause`],
      ['DELETE', `/pipelines/${name}`],
      ['POST', `/pipelines/p/stages/${name}/pause`],
      ['POST', `/pipelines/p/items/${name}/../${name}/retry`],
    ] as const) {
      // A stage that is not there is a 422, as the contract has it.
      expect([400, 404, 422], `${method} ${target}`).toContain(await status(method, target));
    }
    const body = JSON.stringify({ stages: [{ name: 'S', tasks: ['echo'] }] });
    expect(await status('PUT', `/pipelines/${name}`, body)).toBe(400);
    expect((await service.host.list()).length).toBe(1);
    expect((await get(service, '/pipelines/p/stats')).json().itemsFailed).toBe(itemsFailed);
    expect((await get(service, '/pipelines/p')).json().state).toBe('running');
  });
});
