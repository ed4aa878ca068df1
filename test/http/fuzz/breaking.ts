import type { Random } from '../../engine/simulation/random.ts';
import type { FuzzRequest } from './request.ts';
import { encode, type Texts } from './texts.ts';

const TYPES = [
  'application/json',
  'application/x-ndjson',
  'text/plain',
  'application/json; charset=x',
  'application/jsonl',
  'multipart/form-data',
  '',
];
const ACCEPTS = ['application/x-ndjson', 'text/event-stream', 'nonsense/*', '*/*;q=0', 'application/json, text/event-stream'];

/** How long its answer is waited for. */
const PATIENCE_MS = 2000;

/** Makes of a plausible request one that something is wrong with, or that might be taken for one. */
export function breakIt(request: FuzzRequest, random: Random, texts: Texts): FuzzRequest {
  // What is broken may be the time that it would have waited.
  const broken = { ...request, headers: { ...request.headers }, aim: 'broken', patienceMs: request.patienceMs ?? PATIENCE_MS };
  const times = random.int(1, 2);
  for (let i = 0; i < times; i++) breakOnce(broken, random, texts);
  return broken;
}

function breakOnce(request: FuzzRequest, random: Random, texts: Texts): void {
  const [path = '', query = ''] = request.url.split('?');
  switch (random.weighted({ path: 3, query: 3, body: request.body === null ? 0 : 8, type: request.body === null ? 0 : 2, header: 2 })) {
    case 'path': {
      const parts = path.split('/');
      parts[random.int(1, parts.length - 1)] = encode(texts.wild());
      request.url = parts.join('/') + (query === '' ? '' : `?${query}`);
      break;
    }
    case 'query': {
      const names = request.operation.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
      const name = random.chance(0.8) && names.length > 0 ? random.pick(names) : encode(texts.wild());
      const more = `${name}=${encode(random.chance(0.7) ? texts.wild() : JSON.stringify(texts.json()))}`;
      request.url = `${path}?${query === '' ? more : `${query}&${more}`}`;
      break;
    }
    case 'body':
      request.body = brokenBody(request.body ?? Buffer.alloc(0), random, texts);
      break;
    case 'type':
      request.headers['content-type'] = random.pick(TYPES);
      break;
    default: {
      const names = ['accept', 'idempotency-key', 'last-event-id', 'x-request-id', 'traceparent', 'range'];
      const name = random.pick(request.body === null ? names : [...names, 'content-encoding']);
      request.headers[name] = name === 'accept' ? random.pick(ACCEPTS) : encode(texts.wild()).slice(0, 2000);
    }
  }
  if (request.headers['content-type'] === '') delete request.headers['content-type'];
}

function brokenBody(body: Buffer, random: Random, texts: Texts): Buffer {
  const text = body.toString();
  switch (random.pick(['json', 'cut', 'deep', 'bytes', 'field', 'member', 'token', 'nothing', 'twice', 'mark'] as const)) {
    case 'json':
      return Buffer.from(JSON.stringify(texts.json()));
    case 'cut':
      return body.subarray(0, random.int(0, body.length));
    case 'deep': {
      const depth = random.int(60, 30_000);
      const [open, close] = random.pick([
        ['[', ']'],
        ['{"a":', '}'],
      ] as const);
      return Buffer.from(`{"items":[${open.repeat(depth)}1${close.repeat(depth)}]}`);
    }
    case 'bytes':
      return Buffer.concat([body.subarray(0, 20), Buffer.from(Array.from({ length: 20 }, () => random.int(0, 255))), body.subarray(20)]);
    case 'field':
      return Buffer.from(text.replace('{', `{${JSON.stringify(texts.wild())}:${JSON.stringify(texts.json())},`));
    case 'member':
      return Buffer.from(
        text.replace(/"[A-Za-z]+":(?:"[^"]*"|\d+)/, (member) => `${member.split(':')[0]}:${JSON.stringify(texts.wild())}`),
      );
    case 'token':
      return Buffer.from(
        text.replace(
          /\d+|"[^"]*"/,
          random.pick(['1e400', '-', '01', '"\\ud800"', 'NaN', '"\\u0000"', '9'.repeat(400), '"\u202e\u2028"', '-1', 'null']),
        ),
      );
    case 'twice':
      return Buffer.concat([body, body]);
    case 'mark':
      return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]);
    default:
      return Buffer.alloc(0);
  }
}
