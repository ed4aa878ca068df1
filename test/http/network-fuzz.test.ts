import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../engine/virtual-clock.ts';
import { SEED } from '../seed.ts';
import { create, definition, feed, type Service, startService } from './app-harness.ts';
import { type Conversation, conversations } from './fuzz-requests.ts';
import { type RawAnswer, RawClient } from './raw-client.ts';
import { createManualClock, eventually, type ManualClock } from './sse-harness.ts';

/*
 * Valid requests over sockets that end, stall or break at any byte, or change one: the process lives, everybody else is served
 * meanwhile, nothing is left over, every answer is HTTP, and what was acknowledged is there.
 */

const RUNS = Number(process.env.NET_FUZZ_RUNS ?? 500);
/** So many connections at a time. */
const BATCH = 40;
/** What the machine may take to hand bytes over. */
const HANDOVER_MS = 60_000;

type Fault = 'none' | 'ends' | 'stalls' | 'breaks' | 'garbled' | 'torn';
const FAULTS: Fault[] = ['none', 'ends', 'ends', 'stalls', 'stalls', 'breaks', 'breaks', 'garbled', 'torn'];

interface Attempt {
  what: string;
  conversation: Conversation;
  fault: Fault;
  client: RawClient;
  /** Where the sending stopped, in relation to the requests. */
  place: 'between' | 'head' | 'body';
  /** How many requests were sent whole. */
  whole: number;
}

let service: Service;
let clock: ManualClock;
let port: number;
const fatal: unknown[] = [];
const onFatal = (error: unknown): void => void fatal.push(error);

beforeAll(async () => {
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  clock = createManualClock();
  service = await startService({ clock });
  await create(service, definition('p'));
  await create(service, definition('q'));
  await feed(service, 'p', [{ id: 'known' }]);
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = service.app.server.address() as AddressInfo);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  process.off('uncaughtException', onFatal);
  process.off('unhandledRejection', onFatal);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const connections = (): Promise<number> =>
  new Promise((resolve, reject) => service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

/** In what part of which request a position lies. */
function placeOf({ requests }: Conversation, at: number): Pick<Attempt, 'place' | 'whole'> {
  let from = 0;
  for (const [index, { head, body }] of requests.entries()) {
    const bodyFrom = from + Buffer.byteLength(head);
    const end = bodyFrom + Buffer.byteLength(body);
    if (at === from) return { place: 'between', whole: index };
    if (at < bodyFrom) return { place: 'head', whole: index };
    if (at < end) return { place: 'body', whole: index };
    from = end;
  }
  return { place: 'between', whole: requests.length };
}

async function attempt(number: number, random: () => number): Promise<Attempt> {
  const pick = (count: number): number => Math.floor(random() * count);
  const kinds = conversations(`c${number}`);
  const conversation = kinds[pick(kinds.length)] as Conversation;
  const chosen = FAULTS[pick(FAULTS.length)] as Fault;
  // What a changed `HEAD` becomes, and whether its answer has a body, only the server knows.
  const fault = chosen === 'garbled' && conversation.kind === 'HEAD' ? 'torn' : chosen;
  const bytes = Buffer.from(conversation.requests.map(({ head, body }) => head + body).join(''));
  const at = fault === 'none' ? bytes.length : pick(bytes.length + 1);
  const what = `${number}: ${conversation.kind}, ${fault} at ${at} of ${bytes.length}`;
  const sentWhole = fault === 'none' || fault === 'garbled' || fault === 'torn';
  const sent = sentWhole ? ({ place: 'between', whole: conversation.requests.length } as const) : placeOf(conversation, at);
  // Half of a `HEAD` is no method, and its refusal has a body.
  const heads = conversation.requests.slice(0, sent.whole + (sent.place === 'body' ? 1 : 0));
  const client = await RawClient.open(
    port,
    heads.map(({ method }) => method),
  );
  if (fault === 'garbled') {
    bytes[Math.min(at, bytes.length - 1)] = pick(256);
    client.send(bytes);
    // What is left of it may wait for more, and says so by not ending.
    client.halfClose();
  } else {
    if (at > 0) client.send(bytes.subarray(0, at));
    if (fault === 'ends') client.halfClose();
    // Not before it is on its way.
    if (fault === 'breaks') client.socket.write('', () => client.reset());
    if (fault === 'torn' && at < bytes.length) {
      await turn();
      client.send(bytes.subarray(at));
    }
  }
  return { what, conversation, fault, client, ...sent };
}

/** What has to be true of whatever came back. */
function expectHttp({ what, conversation, fault, client }: Attempt): RawAnswer[] {
  let answers: RawAnswer[] = [];
  expect(() => {
    answers = client.answers;
  }, `${what}: ${client.bytes}`).not.toThrow();
  if (fault !== 'garbled') expect(answers.length, what).toBeLessThanOrEqual(conversation.requests.length + 1);
  for (const [index, { status, headers, body, complete }] of answers.entries()) {
    expect(status, what).toBeLessThan(500);
    if (!complete || status < 400 || conversation.requests[index]?.method === 'HEAD') continue;
    // A request without a Host is refused by Node itself, and says nothing.
    if (fault === 'garbled' && status === 400 && body.length === 0) continue;
    expect(headers.get('content-type'), what).toMatch(/^application\/problem\+json/);
    expect(JSON.parse(String(body)), what).toMatchObject({ status });
  }
  return answers;
}

/** Everything that an answer says was accepted is there. */
async function expectKept({ what, conversation, fault }: Attempt, answers: RawAnswer[]): Promise<void> {
  // A changed byte may have made it another item.
  if (fault === 'garbled') return;
  const runtime = service.host.get('p');
  for (const [index, { status, body, complete }] of answers.entries()) {
    const ids = conversation.requests[index]?.ids ?? [];
    if (!complete || ids.length === 0) continue;
    const said = status === 202 || status >= 400 ? (JSON.parse(String(body)) as { accepted?: number }) : undefined;
    if (status === 202) expect(said?.accepted, what).toBe(ids.length);
    for (const id of ids.slice(0, said?.accepted ?? 0)) expect((await runtime.item(id)).id, what).toBe(id);
  }
}

/** A complete request is answered as it should be, whatever becomes of what follows it. */
function expectAnswers({ what, conversation, whole, fault }: Attempt, answers: RawAnswer[]): void {
  if (fault === 'garbled' || fault === 'breaks') return;
  const expected = conversation.requests.slice(0, whole).map(({ status }) => status);
  const came = answers.slice(0, whole).map(({ status }) => status);
  // Whoever says that nothing more comes, in the middle of a request, may be told so before the answers to those before.
  if (fault === 'ends' && came.length < expected.length) return;
  for (const [index, status] of expected.entries()) {
    const isOk = came[index] === status || (fault === 'ends' && came[index] === 400);
    expect(isOk, `${what}: ${came} instead of ${expected}`).toBe(true);
  }
}

async function livez(): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    httpRequest({ port, host: '127.0.0.1', path: '/livez', agent: false }, (answer: IncomingMessage) => {
      answer.resume().once('end', () => resolve(answer.statusCode));
    })
      .once('error', reject)
      .end();
  });
}

describe('connections that end, stall, break or change at any byte', () => {
  it(`leave nothing behind and hinder nobody: ${RUNS} of them, seed ${SEED}`, async () => {
    const random = seededRandom(SEED);
    const stalledInHead: Attempt[] = [];
    const kinds = new Set<string>();
    for (let number = 0; number < RUNS; number += BATCH) {
      const attempts: Attempt[] = [];
      for (let i = number; i < Math.min(RUNS, number + BATCH); i++) attempts.push(await attempt(i, random));
      for (const { conversation, fault } of attempts) kinds.add(`${conversation.kind} ${fault}`);

      // While those that stall are there, others are served.
      expect(await livez()).toBe(200);
      const open = (): Attempt[] => attempts.filter(({ client }) => !client.closed);
      for (const tried of attempts) {
        const { client, conversation, fault, whole, place } = tried;
        if (fault === 'ends' || fault === 'breaks' || fault === 'garbled') continue;
        // Every whole request is answered without the clock moving.
        await client.until(() => client.answers.length >= whole).catch(() => undefined);
        if (place === 'body') {
          // A stream of events goes on, whatever came with its request.
          if (conversation.isEndless) await client.until(() => client.answers.length > whole).then(() => client.reset());
          continue;
        }
        const last = client.answers[whole - 1];
        if (whole > 0 && conversation.isEndless !== true) await client.until(() => client.complete.length >= whole).catch(() => undefined);
        expect(whole === 0 || last !== undefined, tried.what).toBe(true);
        if (place === 'head') stalledInHead.push(tried);
        else client.halfClose();
      }
      // Every deadline passes for those that stall in a body; whoever has said that it sends no more is let go without one.
      const waiting = (): Attempt[] => open().filter((tried) => !stalledInHead.includes(tried));
      const began = performance.now();
      for (let moves = 0; waiting().length > 0; moves++) {
        // An hour of the service's clock passes in less than a second of the machine's, which may have other work to do.
        if (moves > 36_000 && performance.now() - began > HANDOVER_MS) throw new Error(`still open: ${waiting().map(({ what }) => what)}`);
        clock.advance(100);
        await turn();
      }
      for (const tried of attempts) {
        const answers = expectHttp(tried);
        expectAnswers(tried, answers);
        await expectKept(tried, answers);
      }
      expect(fatal).toEqual([]);
    }
    // Heads have Node's own time limit, which goes by the machine's clock.
    service.app.server.headersTimeout = 1;
    for (const tried of stalledInHead) {
      await tried.client.ended();
      expectHttp(tried);
    }
    await eventually(() => clock.timers === 0);
    while ((await connections()) > 0) await turn();
    expect(fatal).toEqual([]);
    expect(service.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
    if (RUNS >= 2000) expect(kinds.size).toBeGreaterThan(100);
  }, 600_000);
});
