import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { httpRequest } from '../../tasks/http_request.ts';
import { createHttpClient } from '../../tasks/kit/http-client.ts';
import { retryAfterSeconds } from '../../tasks/kit/retry-after.ts';
import { serve } from './http-server.ts';
import { use } from './running.ts';

/** Wed, 21 Oct 2026 07:28:00 GMT */
const NOW = Date.UTC(2026, 9, 21, 7, 28);
const EPOCH = NOW / 1000;

const read = (header: string, date?: string) => retryAfterSeconds(header, date, NOW);

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['17', 17],
    ['007', 7],
    [' 17\t', 17],
    ['1.5', 1.5],
    ['0.05', 0.05],
    ['31536000', 31_536_000],
    ['999999999', 999_999_999],
  ])('%j is a delay of %s s', (header, seconds) => {
    expect(read(header)).toBe(seconds);
  });

  it.each([
    ['Wed, 21 Oct 2026 07:28:30 GMT', 30],
    ['Wednesday, 21-Oct-26 07:28:30 GMT', 30],
    ['Wed Oct 21 07:28:30 2026', 30],
    ['Sun Nov  1 07:28:00 2026', 11 * 86_400],
    ['Thu, 31 Dec 2026 23:59:60 GMT', 71 * 86_400 + 16 * 3600 + 32 * 60],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    // Two digits that are more than 50 years ahead are of the century before; these are exactly 50, and one more.
    ['Sunday, 21-Oct-77 07:28:30 GMT', 0],
    ['Wednesday, 21-Oct-76 07:28:00 GMT', Date.UTC(2076, 9, 21, 7, 28) / 1000 - EPOCH],
  ])('%j is the instant that it names', (header, seconds) => {
    expect(read(header)).toBe(seconds);
  });

  it.each([
    ['5, 5', 5],
    ['5,5', 5],
    ['5, 5.0 , 5', 5],
    ['Wed, 21 Oct 2026 07:28:30 GMT, Wed, 21 Oct 2026 07:28:30 GMT', 30],
    ['Wed, 21 Oct 2026 07:28:30 GMT, Wednesday, 21-Oct-26 07:28:30 GMT', 30],
    ['Wed, 21 Oct 2026 07:28:30 GMT, 30', 30],
    ['5, 6', undefined],
    ['1,5', undefined],
    ['5,', undefined],
    ['5, soon', undefined],
    ['soon, soon', undefined],
    ['Wed, 21 Oct 2026 07:28:30 GMT, Wed, 21 Oct 2026 07:28:31 GMT', undefined],
  ])('%j, as of several lines, is %s', (header, seconds) => {
    expect(read(header)).toBe(seconds);
  });

  it.each([
    '',
    '"1"',
    "'1'",
    '-1',
    '-0',
    '+1',
    '.5',
    '1.',
    '1e3',
    '0x10',
    '5s',
    '5 s',
    '1 2',
    'soon',
    'Infinity',
    'NaN',
    '٥',
    '2026-10-21T07:28:30Z',
    'Wed, 21 Oct 2026 07:28:30 +0000',
    'Wed, 21 Oct 2026 07:28:30 UTC',
    'wed, 21 oct 2026 07:28:30 gmt',
    'Wed, 1 Oct 2026 07:28:30 GMT',
    'Sat, 31 Feb 2026 07:28:30 GMT',
    'Wed, 00 Oct 2026 07:28:30 GMT',
    'Wed, 21 Oct 2026 24:00:00 GMT',
    'Wed 21 Oct 2026 07:28:30 GMT',
    '21 Oct 2026 07:28:30 GMT',
    'Oct 2026',
  ])('%j says nothing', (header) => {
    expect(read(header)).toBeUndefined();
  });

  it('takes a number that is an instant in seconds since 1970 for that instant, and no other for a delay of decades', () => {
    expect(read(String(EPOCH + 20))).toBe(20);
    expect(read(String(EPOCH + 20.5))).toBe(20.5);
    expect(read(String(EPOCH - 1))).toBeUndefined();
    expect(read('1000000000')).toBeUndefined();
    expect(read(String(EPOCH * 1000 + 5000))).toBeUndefined();
    expect(read(String(EPOCH + 31_536_001))).toBeUndefined();
    expect(read('9'.repeat(1000))).toBeUndefined();
  });

  it('is compared with the clock of the server, if that tells its time', () => {
    const header = 'Wed, 21 Oct 2026 09:00:00 GMT';
    expect(read(header, 'Wed, 21 Oct 2026 08:59:57 GMT')).toBe(3);
    expect(read(String(EPOCH), 'Wed, 21 Oct 2026 07:27:00 GMT')).toBe(60);
    expect(read(header, 'soon')).toBe(92 * 60);
  });

  it('is read back as it was written, whatever the seconds or the instant', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), (seconds) => {
        expect(read(String(seconds))).toBe(seconds);
        expect(read(new Date(NOW + seconds * 1000).toUTCString())).toBe(seconds);
        expect(read(`${seconds}, ${seconds}`)).toBe(seconds);
      }),
    );
    // Any other text says nothing.
    fc.assert(fc.property(fc.string(), (text) => /^[ \t]*\d/.test(text) || read(text) === undefined));
  });

  it('that is longer than any that can be read says nothing', () => {
    expect(read(`${' '.repeat(1023)}5`)).toBe(5);
    expect(read(`${' '.repeat(1024)}5`)).toBeUndefined();
  });
});

describe('a request that is answered by 429', () => {
  const client = createHttpClient({ allowHosts: ['127.0.0.1'] });
  afterAll(() => client.close());

  it.each([
    ['1.5', 1.5],
    ['-1', undefined],
    ['"1"', undefined],
    [['5', '5'], 5],
    [['5', '6'], undefined],
    [[new Date(Date.UTC(2020, 0)).toUTCString(), new Date(Date.UTC(2020, 0)).toUTCString()], 0],
  ])('with %j waits for %s s; without a number, as long as its stage says', async (header, seconds) => {
    const server = await serve((_request, reply) => reply.setHeader('retry-after', header).writeHead(429).end());
    const thrown = await use(httpRequest(client), { url: server.origin })(null).catch(describeThrown);
    expect(thrown).toMatchObject({ type: 'HttpStatus', status: 429, permanent: false, retryAfterSeconds: seconds });
  });
});
