/** Valid requests of several kinds, as bytes, for a network that mistreats them. */

export interface FuzzRequest {
  method: string;
  head: string;
  body: string;
  /** Ids of the items that it feeds, in order. */
  ids: string[];
  /** What it is answered with when it comes whole. */
  status: number;
}

export interface Conversation {
  kind: string;
  requests: FuzzRequest[];
  /** Its last answer has no end of its own. */
  isEndless?: true;
}

const JSON_TYPE = 'Content-Type: application/json';
const NDJSON_TYPE = 'Content-Type: application/x-ndjson';

function request(method: string, path: string, status: number, headers: string[] = [], body = '', ids: string[] = []): FuzzRequest {
  return { method, head: [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '', ''].join('\r\n'), body, ids, status };
}

const sized = (method: string, path: string, status: number, headers: string[], body: string, ids: string[] = []): FuzzRequest =>
  request(method, path, status, [...headers, `Content-Length: ${Buffer.byteLength(body)}`], body, ids);

const chunk = (text: string, extension = ''): string => `${Buffer.byteLength(text).toString(16)}${extension}\r\n${text}\r\n`;

function chunked(
  method: string,
  path: string,
  status: number,
  headers: string[],
  parts: string[],
  ids: string[] = [],
  trailers = '',
): FuzzRequest {
  const body = `${parts.map((part, index) => chunk(part, index === 0 && trailers !== '' ? ';name="value"' : '')).join('')}0\r\n${trailers}\r\n`;
  return request(method, path, status, [...headers, 'Transfer-Encoding: chunked'], body, ids);
}

/** One conversation of each kind. `name` makes the ids of its items its own. */
export function conversations(name: string): Conversation[] {
  const ids = [`${name}-a`, `${name}-b`, `${name}-c`];
  const items = ids.map((id) => ({ id, text: 'é\u2028"\n' }));
  const lines = items.map((item) => `${JSON.stringify(item)}\r\n`);
  const json = JSON.stringify({ items });
  const get = (path: string, ...headers: string[]) => request('GET', path, 200, headers);
  const asRows = 'Accept: application/x-ndjson';
  return [
    { kind: 'JSON feed', requests: [sized('POST', '/pipelines/p/feed', 202, [JSON_TYPE], json, ids)] },
    {
      kind: 'JSON feed in chunks with a trailer',
      requests: [chunked('POST', '/pipelines/p/feed', 202, [JSON_TYPE], [json.slice(0, 20), json.slice(20)], ids, 'X-Sum: 1\r\n')],
    },
    { kind: 'NDJSON feed', requests: [chunked('POST', '/pipelines/p/feed', 202, [NDJSON_TYPE], lines, ids)] },
    { kind: 'NDJSON feed of a known length', requests: [sized('POST', '/pipelines/p/feed', 202, [NDJSON_TYPE], lines.join(''), ids)] },
    {
      kind: 'NDJSON feed under a key',
      requests: [chunked('POST', '/pipelines/p/feed', 202, [NDJSON_TYPE, `Idempotency-Key: ${name}`], lines, ids)],
    },
    { kind: 'run', requests: [sized('POST', '/pipelines/p/run', 200, [JSON_TYPE], json, ids)] },
    { kind: 'NDJSON run in one document', requests: [chunked('POST', '/pipelines/p/run', 200, [NDJSON_TYPE], lines, ids)] },
    { kind: 'streamed run', requests: [chunked('POST', '/pipelines/p/run', 200, [NDJSON_TYPE, asRows], lines, ids)] },
    {
      kind: 'run as events, cancelled with its client',
      requests: [chunked('POST', '/pipelines/p/run?cancelOnDisconnect=true', 200, [NDJSON_TYPE, 'Accept: text/event-stream'], lines, ids)],
    },
    { kind: 'events', requests: [get('/pipelines/p/events?types=status,result')], isEndless: true },
    { kind: 'all events, with a body', requests: [sized('GET', '/events', 200, [JSON_TYPE], '{"a":1}')], isEndless: true },
    { kind: 'a list as rows', requests: [get('/pipelines/p/results?limit=50', asRows)] },
    { kind: 'HEAD', requests: [request('HEAD', '/pipelines/p/results', 200, [asRows]), request('HEAD', '/livez', 200)] },
    { kind: 'one after the other', requests: [get('/livez'), get('/pipelines/p/stats'), request('GET', '/nowhere', 404), get('/readyz')] },
    {
      kind: 'feeds one after the other',
      requests: ids.map((id) => sized('POST', '/pipelines/p/feed', 202, [JSON_TYPE], JSON.stringify({ items: [{ id }] }), [id])),
    },
    {
      kind: 'unusual methods',
      requests: ['OPTIONS', 'PROPFIND', 'TRACE', 'M-SEARCH'].map((method) => request(method, '/pipelines/p/stats', 405)),
    },
    { kind: 'a body where none belongs', requests: [sized('DELETE', '/pipelines/p/feeds/none', 404, [JSON_TYPE], '{"a":[1,2]}')] },
    {
      kind: 'waiting to be told to go on',
      requests: [sized('POST', '/pipelines/p/feed', 202, [JSON_TYPE, 'Expect: 100-continue'], json, ids)],
    },
    {
      kind: 'a definition',
      requests: [sized('PUT', '/pipelines/q', 200, [JSON_TYPE], JSON.stringify({ id: 'q', stages: [{ name: 'Only', tasks: ['echo'] }] }))],
    },
    { kind: 'waiting for an item', requests: [sized('POST', '/pipelines/p/wait', 200, [JSON_TYPE], '{"itemIds":["known"]}')] },
  ];
}
