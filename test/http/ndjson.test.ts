import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientGoneError, type NdjsonOptions, readNdjson } from '../../src/http/bodies/ndjson-reader.ts';
import { guardJson } from '../../src/schemas/json-guard.ts';
import { createManualClock } from './sse-harness.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Batch = { items: unknown[]; firstLine: number };

/** Reads chunks as they are, each in a turn of its own, and keeps what was handed over. */
async function read(chunks: readonly (Buffer | string)[], options: Partial<NdjsonOptions> = {}) {
  const batches: Batch[] = [];
  const onItems = (items: unknown[], firstLine: number): void => void batches.push({ items, firstLine });
  const bytes = chunks.map((chunk) => Buffer.from(chunk as string)).filter((chunk) => chunk.length > 0);
  const outcome = await readNdjson(Readable.from(bytes, { objectMode: false }), { onItems, ...options }).then(
    (summary) => ({ summary, error: undefined }),
    (error: unknown) => ({ summary: undefined, error }),
  );
  return { ...outcome, batches, items: batches.flatMap(({ items }) => items) };
}

describe('lines', () => {
  it('end with LF or CRLF, and the last one with the body', async () => {
    const { items, summary } = await read(['{"a":1}\r\n2\n', '"x"']);
    expect(items).toEqual([{ a: 1 }, 2, 'x']);
    expect(summary).toEqual({ lines: 3, items: 3 });
  });

  it('are skipped when blank, and so is a byte order mark at the start', async () => {
    const { items, summary, batches } = await read(['\ufeff\n \t\r\n1\n\n\n2\n\r\n']);
    expect(items).toEqual([1, 2]);
    expect(summary).toEqual({ lines: 7, items: 2 });
    expect(batches[0]?.firstLine).toBe(3);
    expect((await read(['\ufeff{"a":1}'])).items).toEqual([{ a: 1 }]);
  });

  it('are not ended by U+2028, U+2029, U+0085 or a CR alone', async () => {
    const text = 'a\u2028b\u2029c\u0085d';
    expect((await read([`"${text}"\n1`])).items).toEqual([text, 1]);
    expect((await read(['1\r2\n'])).error).toMatchObject({ code: 'malformed-line' });
  });

  it('keep null, false, 0 and the empty string as items', async () => {
    expect((await read(['null\nfalse\n0\n""\n'])).items).toEqual([null, false, 0, '']);
  });

  it('may be none at all', async () => {
    expect((await read([])).summary).toEqual({ lines: 0, items: 0 });
    expect((await read(['\n'])).summary).toEqual({ lines: 1, items: 0 });
  });

  it('give the same items wherever the body is cut', async () => {
    const body = Buffer.from('\ufeff{"id":"é😀","n":[1,2]}\r\n\r\n"\u2028"\n \n-1.5e3\n{"last":true}');
    const whole = (await read([body])).items;
    expect(whole).toHaveLength(4);
    for (let at = 0; at <= body.length; at++) {
      expect((await read([body.subarray(0, at), body.subarray(at)])).items).toEqual(whole);
    }
    expect((await read([...body].map((byte) => Buffer.from([byte])))).items).toEqual(whole);
  });

  it('give back what was written, for any values, cuts and batch sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          // Keys that poison prototypes are refused, and have tests of their own.
          fc
            .jsonValue({ maxDepth: 3, stringUnit: 'grapheme' })
            .filter((value) => !/"(__proto__|constructor|prototype)":/.test(JSON.stringify(value))),
          { maxLength: 20 },
        ),
        fc.array(fc.nat(400), { maxLength: 8 }),
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom('\n', '\r\n', '\n\n'),
        async (values, cuts, batchItems, newline) => {
          const texts = values.map((value) => JSON.stringify(value));
          const body = Buffer.from(texts.join(newline));
          const ends = [0, ...cuts.sort((a, b) => a - b), body.length];
          const chunks = ends.slice(1).map((end, index) => body.subarray(ends[index], end));
          const { items, batches, error } = await read(chunks, { batchItems });
          expect(error).toBeUndefined();
          expect(items).toEqual(texts.map((text) => JSON.parse(text)));
          for (const batch of batches) expect(batch.items.length).toBeLessThanOrEqual(batchItems);
        },
      ),
    );
  });
});

describe('a line that the guard refuses', () => {
  const LINES = [
    '{"__proto__":1}',
    '{"\\u005f_proto__":1}',
    '{"\\u005f\\u005fproto\\u005f\\u005f":{}}',
    '{"constructor":{"prototype":1}}',
    '{"constructor":{"proto\\u0074ype":1}}',
    '{"c\\u006fnstructor":{"prototype":1}}',
    '["\\ud83d"]',
    '{"\\udc00":1}',
    '[1e999]',
    '{"a":{"b":-1e309}}',
    `[${'9'.repeat(400)}]`,
    `${'['.repeat(65)}${']'.repeat(65)}`,
    `${'{"a":'.repeat(64)}[]${'}'.repeat(64)}`,
    '1e999',
  ];

  it.each(LINES)('is refused among plain ones: %s', async (text) => {
    const fault = guardJson(JSON.parse(text)) as string;
    const { items, error } = await read([`{"a":1}\n${text}\n{"a":2}\n`]);
    expect(items).toEqual([{ a: 1 }]);
    expect((error as Error).message).toBe(`Line 2 ${fault}.`);
  });
});

describe('batches', () => {
  it('are handed over at batchItems, at batchBytes, and when no more bytes are there', async () => {
    const sizes = ({ batches }: { batches: Batch[] }): number[] => batches.map(({ items }) => items.length);
    expect(sizes(await read(['1\n2\n3\n4\n5\n'], { batchItems: 2 }))).toEqual([2, 2, 1]);
    expect(sizes(await read(['"aaaa"\n"bbbb"\n"cccc"\n'], { batchBytes: 12 }))).toEqual([2, 1]);
    const stream = new Readable({ read: () => undefined });
    const handedOver: unknown[][] = [];
    const done = readNdjson(stream, { onItems: (items) => void handedOver.push(items) });
    stream.push('1\n2\n3');
    await new Promise((resolve) => setImmediate(resolve));
    expect(handedOver).toEqual([[1, 2]]);
    stream.push('4\n');
    stream.push(null);
    await done;
    expect(handedOver).toEqual([[1, 2], [34]]);
  });

  it('hold items of lines that follow each other, and name the first', async () => {
    const { batches } = await read(['1\n\n2\n3\n\n4\n'], { batchItems: 2 });
    expect(batches).toEqual([
      { items: [1], firstLine: 1 },
      { items: [2, 3], firstLine: 3 },
      { items: [4], firstLine: 6 },
    ]);
  });

  it('stop the stream from being read while one is being taken', async () => {
    let produced = 0;
    const stream = new Readable({
      highWaterMark: 1024,
      read() {
        this.push(++produced <= 1000 ? `${'1'.repeat(10)}\n`.repeat(50) : null);
      },
    });
    let release = (): void => undefined;
    let calls = 0;
    const firstCall = new Promise<void>((called) => {
      void readNdjson(stream, {
        batchItems: 10,
        onItems: () => {
          if (++calls > 1) return;
          called();
          return new Promise<void>((resolve) => {
            release = resolve;
          });
        },
      });
    });
    await firstCall;
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([calls, produced < 10]).toEqual([1, true]);
    release();
    await once(stream, 'end');
    expect(calls).toBe(5000);
  });

  it('end the reading when one is refused, with the error of who refused', async () => {
    const { error } = await read(['1\n2\n'], { batchItems: 1, onItems: () => Promise.reject(new Error('no room')) });
    expect(error).toMatchObject({ message: 'no room' });
  });
});

describe('memory', () => {
  it('does not grow with the body', async () => {
    const chunk = Buffer.from(`{"id":"item","value":{"name":"Ada","tags":["a","b"],"text":"${'x'.repeat(200)}"}}\n`.repeat(250));
    const total = 64 * 1024 * 1024;
    let sent = 0;
    const body = new Readable({
      read() {
        this.push(sent < total ? chunk : null);
        sent += chunk.length;
      },
    });
    let before = 0;
    let most = 0;
    let batches = 0;
    await readNdjson(body, {
      onItems: async () => {
        // What is garbage is not held; how long V8 leaves it lying is its own affair.
        if (++batches % 40 !== 1) return;
        collectGarbage();
        const { heapUsed, external } = process.memoryUsage();
        if (before === 0) before = heapUsed + external;
        most = Math.max(most, heapUsed + external - before);
      },
    });
    expect(batches).toBeGreaterThan(200);
    expect(most).toBeLessThan(8 * 1024 * 1024);
  });
});

describe('a bad line', () => {
  const bad: [string, string | Buffer][] = [
    ['no JSON', '{"a":'],
    ['two values', '1 2'],
    ['a byte order mark that is not at the start', '\ufeff1'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['an overlong form', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['half of a character', Buffer.from([0x22, 0xf0, 0x9f, 0x22])],
    ['a lone surrogate', '"\\ud800"'],
    ['a key with a lone surrogate', '{"\\udc00":1}'],
    ['a number that overflows', '[1e999]'],
    ['a key __proto__', '{"__proto__":{"a":1}}'],
    ['an escaped key __proto__', '{"\\u005f_proto__":1}'],
    ['constructor.prototype', '{"constructor":{"prototype":{}}}'],
    ['nesting over 64', `${'['.repeat(65)}${']'.repeat(65)}`],
    ['nesting without end', '['.repeat(100_000)],
  ];

  it.each(bad)('with %s is refused by its number, after the items before it', async (_, line) => {
    const { error, items } = await read([Buffer.concat([Buffer.from('1\n\n2\n'), Buffer.from(line as string), Buffer.from('\n3\n')])]);
    expect(error).toMatchObject({ name: 'SluiceError', code: 'malformed-line', details: { line: 4 } });
    expect((error as Error).message).toMatch(/^Line 4 /);
    expect(items).toEqual([1, 2]);
  });

  it.each(bad)('with %s is refused as the last one without a newline too', async (_, line) => {
    const { error, items } = await read([Buffer.concat([Buffer.from('1\n'), Buffer.from(line as string)])]);
    expect(error).toMatchObject({ code: 'malformed-line', details: { line: 2 } });
    expect(items).toEqual([1]);
  });

  it('takes nesting of 64', async () => {
    expect((await read([`${'['.repeat(64)}${']'.repeat(64)}`])).error).toBeUndefined();
  });

  it.each([
    ['in one chunk', 1e9],
    ['in chunks', 3],
    ['in chunks larger than the line', 15],
  ])('over the cap is refused, %s', async (_, size) => {
    const cut = (text: string): Buffer[] => {
      const body = Buffer.from(text);
      return Array.from({ length: Math.ceil(body.length / size) }, (_, index) => body.subarray(index * size, (index + 1) * size));
    };
    for (const line of ['"12345678"', '"éééé"']) {
      expect((await read(cut(`1\n${line}\n`), { maxLineBytes: 10 })).items).toHaveLength(2);
      for (const end of ['\n3\n', '']) {
        const { error, items } = await read(cut(`1\n${line.replace(/"$/, 'x"')}${end}`), { maxLineBytes: 10 });
        expect(error).toMatchObject({ code: 'line-too-large', details: { line: 2 } });
        expect(items).toEqual([1]);
      }
    }
  });

  it('is refused as soon as it is over the cap, before it ends', async () => {
    const stream = new Readable({ read: () => undefined });
    const done = readNdjson(stream, { maxLineBytes: 100, onItems: () => undefined });
    stream.push('x'.repeat(101));
    await expect(done).rejects.toMatchObject({ code: 'line-too-large', details: { line: 1 } });
    expect(stream.destroyed).toBe(false);
    expect(stream.eventNames().filter((name) => stream.listenerCount(name) > 0)).toEqual([]);
  });
});

describe('a silent client', () => {
  it('is given up after the idle time, counted anew from each byte', async () => {
    const clock = createManualClock();
    const stream = new Readable({ read: () => undefined });
    const items: unknown[] = [];
    const done = readNdjson(stream, { clock, idleTimeoutMs: 15_000, onItems: (batch) => void items.push(...batch) });
    const settled = expect(done).rejects.toMatchObject({ code: 'request-timeout' });
    for (const chunk of ['1\n', '2', '2\n3']) {
      clock.advance(14_999);
      stream.push(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    clock.advance(15_000);
    await settled;
    expect([items, clock.timers]).toEqual([[1, 22], 0]);
  });

  it('is not given up while it waits for us', async () => {
    const clock = createManualClock();
    const stream = Readable.from([Buffer.from('1\n')], { objectMode: false });
    await readNdjson(stream, {
      clock,
      onItems: async () => {
        expect(clock.timers).toBe(0);
        clock.advance(60_000);
      },
    });
  });
});

/** A server whose one request is given to `handle`. */
async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe('over a connection', () => {
  it.each(['Content-Length: 1000', 'Transfer-Encoding: chunked'])(
    'keeps the complete lines of a client that goes away (%s)',
    async (header) => {
      const items: unknown[] = [];
      let socketGone = (): void => undefined;
      const firstItems = new Promise<void>((resolve) => {
        socketGone = resolve;
      });
      let outcome: Promise<unknown> | undefined;
      const { port, stop } = await serve((request) => {
        outcome = readNdjson(request, {
          onItems: (batch) => {
            items.push(...batch);
            socketGone();
          },
        }).catch((error: unknown) => error);
      });
      const socket = connect(port, '127.0.0.1');
      const body = '1\n2\n{"half":';
      const framed = header.startsWith('Content') ? body : `${body.length.toString(16)}\r\n${body}\r\n`;
      socket.write(`POST / HTTP/1.1\r\nHost: test\r\n${header}\r\n\r\n${framed}`);
      await firstItems;
      socket.destroy();
      expect(await outcome).toBeInstanceOf(ClientGoneError);
      expect(items).toEqual([1, 2]);
      stop();
    },
  );

  it('survives a client that goes away while its items are being taken', async () => {
    let outcome: Promise<unknown> | undefined;
    const { port, stop } = await serve((request) => {
      outcome = readNdjson(request, {
        onItems: async () => {
          client.destroy();
          await new Promise<void>((resolve) => request.once('close', resolve));
        },
      }).catch((error: unknown) => error);
    });
    const client = httpRequest({ port, method: 'POST' });
    client.on('error', () => undefined);
    client.write('1\n');
    await new Promise((resolve) => client.once('close', resolve));
    expect(await outcome).toBeInstanceOf(ClientGoneError);
    stop();
  });

  it('leaves a request with a bad line answerable', async () => {
    const { port, stop } = await serve((request, response) => {
      readNdjson(request, { onItems: () => undefined }).catch((error: { code: string }) => {
        response.writeHead(400, { connection: 'close' }).end(error.code);
      });
    });
    const client = httpRequest({ port, method: 'POST' });
    client.on('error', () => undefined);
    client.write('1\nnot json\n');
    const [response] = (await once(client, 'response')) as [IncomingMessage];
    expect([response.statusCode, (await response.toArray()).join('')]).toEqual([400, 'malformed-line']);
    client.destroy();
    stop();
  });
});
