/** Owner and hands over real sockets, in one process. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { HANDS_PATH, PROTOCOL, SUBPROTOCOL } from '../../../src/cluster/hands/protocol.ts';
import type { TaskContext } from '../../../src/engine/index.ts';
import { createGate, give, startHand, startOwner, VERSION } from './harness.ts';

const connected = 'a hand has connected';
const gone = 'a hand has gone';

/** The messages that come, one after the other. */
function readMessages(socket: WebSocket): {
  messages: Record<string, unknown>[];
  next(t: string, id?: string): Promise<Record<string, unknown>>;
} {
  const messages: Record<string, unknown>[] = [];
  const watchers = new Set<() => void>();
  socket.on('message', (data) => {
    messages.push(...(JSON.parse(String(data)) as Record<string, unknown>[]));
    for (const watch of [...watchers]) watch();
  });
  return {
    messages,
    next: (t, id) =>
      new Promise((resolve) => {
        const watch = (): void => {
          const at = messages.findIndex((message) => message.t === t && (id === undefined || message.id === id));
          if (at < 0) return;
          watchers.delete(watch);
          resolve(messages.splice(at, 1)[0] as Record<string, unknown>);
        };
        watchers.add(watch);
        watch();
      }),
  };
}

/** A hand that does what the test says, frame by frame. */
async function rawHand(
  url: string,
  hello: object = {},
): Promise<{
  socket: WebSocket;
  messages: Record<string, unknown>[];
  next(t: string): Promise<Record<string, unknown>>;
  say(...messages: object[]): void;
}> {
  const socket = new WebSocket(url.replace('http', 'ws') + HANDS_PATH, SUBPROTOCOL);
  onTestFinished(() => socket.terminate());
  const { messages, next } = readMessages(socket);
  await once(socket, 'open');
  const say = (...said: object[]): void => socket.send(JSON.stringify(said));
  say({
    t: 'hello',
    protocol: PROTOCOL,
    name: 'raw',
    version: VERSION,
    instance: 'raw',
    capacity: 10,
    tasks: [{ name: 'echo', kind: 'task', hash: 'h' }],
    ...hello,
  });
  return {
    socket,
    messages,
    say,
    next,
  };
}

describe('a call', () => {
  it('gives the value, with status, progress and lines of the log on the way', async () => {
    const owner = await startOwner({ tasks: ['work'] });
    startHand(owner.url, {
      work: (value: unknown, context: TaskContext) => {
        context.setStatus('half way');
        context.progress(0.5);
        context.logger.info({ step: 1, err: new TypeError('odd') }, 'at work');
        return { value, params: context.params, item: context.itemId };
      },
    });
    const call = give(owner.pool, 'work', [1, 'ä'], { given: { rate: 2 } });
    expect(await call.result).toEqual({ value: [1, 'ä'], params: { rate: 2 }, item: 'i' });
    expect([call.begins, call.statuses, call.progress]).toEqual([1, ['half way'], [0.5]]);
    const [line] = await owner.log.seen('at work');
    expect(line).toMatchObject({ level: 'info', step: 1, hand: 'h', err: { type: 'TypeError', message: 'odd' } });
  });

  it('gives nothing where the handler gives nothing', async () => {
    const owner = await startOwner({ tasks: ['nothing'] });
    startHand(owner.url, { nothing: () => undefined });
    expect(await give(owner.pool, 'nothing').result).toBe(undefined);
  });

  it('fails with the error of its handler, and what that says of how to go on', async () => {
    const owner = await startOwner({ tasks: ['fail', 'later', 'odd'] });
    startHand(owner.url, {
      fail: (_value, context: TaskContext) => {
        throw context.permanent('no such user');
      },
      later: (_value, context: TaskContext) =>
        Promise.reject(Object.assign(context.retryAfter(30), { status: 429, cause: new Error('busy') })),
      odd: () => {
        throw 'text';
      },
    });
    const fault = (name: string): Promise<unknown> => give(owner.pool, name).result.catch((error: unknown) => error);
    expect(await fault('fail')).toMatchObject({ name: 'PermanentError', message: 'no such user', permanent: true });
    expect(await fault('later')).toMatchObject({ retryAfterSeconds: 30, status: 429, cause: { message: 'busy' } });
    expect(await fault('odd')).toMatchObject({ name: 'NonError', message: 'text' });
  });

  it.each([
    ['a function', () => ({ a: () => 1 }), "the stage's result is not JSON: /a is a function"],
    ['a number that is none', () => [Number.NaN], 'is not JSON: /0 is NaN'],
    ['a big integer', () => 1n, 'is not JSON: it is a bigint'],
  ])('fails for good when its result is %s', async (_what, odd, message) => {
    const owner = await startOwner({ tasks: ['odd'] });
    startHand(owner.url, { odd });
    await expect(give(owner.pool, 'odd').result).rejects.toMatchObject({
      name: 'ValueNotJsonError',
      permanent: true,
      message: expect.stringContaining(message),
    });
  });

  it('reaches predicates, and hooks with the error that they are told of', async () => {
    const tasks = [
      { name: 'big', kind: 'predicate' as const, hash: 'h' },
      { name: 'tell', kind: 'hook' as const, hash: 'h' },
    ];
    const owner = await startOwner({ tasks });
    const told: unknown[] = [];
    startHand(owner.url, {
      big: { kind: 'predicate', run: (value: number, info) => value > info.params.min && info.itemId === 'i' },
      tell: { kind: 'hook', run: (...args) => void told.push(args) },
    });
    const predicate = { kind: 'predicate' as const, given: { min: 3 }, context: { itemId: 'i', sequenceId: 1, metadata: {} } };
    expect(await give(owner.pool, 'big', 4, predicate).result).toBe(true);
    expect(await give(owner.pool, 'big', 2, predicate).result).toBe(false);
    const context = { sequenceId: 1, feedId: 'f', stage: 's', attempts: 1, metadata: {}, pipeline: 'p', trace: null };
    const thrown = Object.assign(new RangeError('too far'), { status: 404 });
    await give(owner.pool, 'tell', undefined, { kind: 'hook', args: ['i', thrown], context }).result;
    const [[id, error, info, use]] = told as [[string, Error, object, object]];
    expect([id, error]).toMatchObject(['i', { name: 'RangeError', message: 'too far', status: 404 }]);
    expect(error).toBeInstanceOf(Error);
    expect(info).toEqual({ sequenceId: 1, feedId: 'f', stage: 's', attempts: 1, metadata: {} });
    expect(use).toMatchObject({ pipeline: 'p', trace: null });
  });

  it('goes to the hand with the fewest for its capacity, and waits in order when none is free', async () => {
    const owner = await startOwner({ tasks: ['hold'] });
    const gate = createGate();
    const order: unknown[] = [];
    const hold = async (value: unknown): Promise<void> => {
      order.push(value);
      await gate.pass();
    };
    startHand(owner.url, { hold }, { name: 'small', capacity: 1 });
    startHand(owner.url, { hold }, { name: 'large', capacity: 3 });
    await owner.log.seen(connected, 2);
    const calls = [1, 2, 3, 4, 5, 6].map((value) => give(owner.pool, 'hold', value));
    await gate.arrived(4);
    expect(owner.pool.view()).toMatchObject({
      hands: expect.arrayContaining([
        expect.objectContaining({ name: 'small', running: 1 }),
        expect.objectContaining({ name: 'large', running: 3 }),
      ]),
      waiting: [{ task: 'hold', kind: 'task', calls: 2, why: 'the hands that have it are busy' }],
    });
    gate.open();
    await Promise.all(calls.map(({ result }) => result));
    expect(order.slice(4)).toEqual([5, 6]);
  });
});

describe('an abort', () => {
  it('rejects at once, reaches the handler with its reason, and frees the place when that has ended', async () => {
    const owner = await startOwner({ tasks: ['hold'] });
    const reasons: unknown[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    startHand(
      owner.url,
      {
        hold: (value, context: TaskContext) =>
          value === 'next'
            ? 'went'
            : new Promise((_resolve, reject) =>
                context.onAbort((reason) => {
                  reasons.push(reason);
                  void promise.then(() => reject(reason));
                }),
              ),
      },
      { capacity: 1 },
    );
    const call = give(owner.pool, 'hold');
    await call.begun;
    call.abort(Object.assign(new Error('took longer'), { name: 'TaskTimeoutError' }));
    await expect(call.result).rejects.toThrow('took longer');
    const next = give(owner.pool, 'hold', 'next');
    expect(owner.pool.view()).toMatchObject({ hands: [{ running: 1 }], waiting: [{ calls: 1 }] });
    resolve();
    expect(await next.result).toBe('went');
    expect(reasons).toMatchObject([{ name: 'TaskTimeoutError', message: 'took longer' }]);
  });

  it('that crosses the result changes nothing, and leaves nothing behind', async () => {
    const owner = await startOwner({ tasks: ['echo'] });
    const hand = await rawHand(owner.url);
    const call = give(owner.pool, 'echo', 1);
    const job = await hand.next('job');
    call.abort();
    // Sent before the abort has come.
    hand.say({ t: 'value', id: job.id, value: 1 });
    await expect(call.result).rejects.toThrow('stop');
    await hand.next('abort');
    hand.say({ t: 'aborted', id: job.id }, { t: 'error', id: job.id, error: { name: 'E', message: 'm', permanent: false, told: {} } });
    const next = give(owner.pool, 'echo', 2);
    hand.say({ t: 'value', id: (await hand.next('job')).id, value: 2 });
    expect(await next.result).toBe(2);
    expect(owner.pool.view()).toMatchObject({ hands: [{ running: 0 }], waiting: [] });
  });

  it('that comes after the result has been sent finds nothing at the hand', async () => {
    const owner = await startOwner({ tasks: ['echo', 'hold'] });
    const { hand } = startHand(owner.url, { echo: (value) => value, hold: () => new Promise(() => undefined) });
    await give(owner.pool, 'echo', 1).result;
    const call = give(owner.pool, 'hold');
    await call.begun;
    expect(hand.running).toBe(1);
    call.abort();
    expect(await give(owner.pool, 'echo', 3).result).toBe(3);
  });
});

/** An owner that says what the test says. */
async function rawOwner(): Promise<{
  url: string;
  hand: Promise<{ say(...messages: object[]): void; next(t: string, id?: string): Promise<object>; socket: WebSocket }>;
}> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const hand = once(server, 'connection').then(([socket]: WebSocket[]) => {
    const { next } = readMessages(socket as WebSocket);
    const say = (...said: object[]): void => (socket as WebSocket).send(JSON.stringify(said));
    say({ t: 'welcome', protocol: PROTOCOL, version: VERSION, epoch: 1, beatMs: 10_000, maxValueBytes: 1000 });
    return { say, next, socket: socket as WebSocket };
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, hand };
}

const jobOf = (id: string, name: string, epoch = 1): object => ({
  t: 'job',
  id,
  epoch,
  use: { kind: 'task', name, hasSecrets: false },
  args: [null],
  context: {},
});

describe('a hand', () => {
  it('does not begin a call again whose message comes twice, while it runs or when it is over', async () => {
    const { url, hand } = await rawOwner();
    const gate = createGate();
    let count = 0;
    startHand(url, {
      hold: async () => {
        count++;
        await gate.pass();
      },
    });
    const { say, next } = await hand;
    say(jobOf('1.1', 'hold'), jobOf('1.1', 'hold'));
    await gate.arrived(1);
    gate.open();
    await next('value', '1.1');
    say(jobOf('1.1', 'hold'), jobOf('2.1', 'hold'));
    await next('value', '2.1');
    expect(count).toBe(2);
  });

  it('aborts what it has when it hears of a later owner, and begins nothing of an earlier one', async () => {
    const { url, hand } = await rawOwner();
    const begun: unknown[] = [];
    const reasons: unknown[] = [];
    const gate = createGate();
    startHand(url, {
      hold: (_value, context: TaskContext) => {
        void gate.pass();
        return new Promise(() => context.onAbort((reason) => reasons.push(reason)));
      },
      late: () => void begun.push('late'),
      echo: () => void begun.push('echo'),
    });
    const { say, next } = await hand;
    say(jobOf('1.1', 'hold'));
    await gate.arrived(1);
    say(jobOf('1.1', 'echo', 2), jobOf('9.1', 'echo', 2), jobOf('8.1', 'late', 1), jobOf('10.1', 'echo', 2));
    await next('value', '10.1');
    expect(begun).toEqual(['echo', 'echo', 'echo']);
    expect(reasons).toMatchObject([{ name: 'AbortedError', message: 'there is another owner' }]);
  });

  it('goes to the next owner when it is told of one, though the one that it has says nothing, and stays when it is told of that one', async () => {
    const { url, hand: ownerSide } = await rawOwner();
    const next = await startOwner({ tasks: ['hold'], epoch: () => 2 });
    const reasons: unknown[] = [];
    const gate = createGate();
    const { hand, log } = startHand(
      url,
      {
        hold: (_value, context: TaskContext) => {
          void gate.pass();
          return new Promise(() => context.onAbort((reason) => reasons.push(reason)));
        },
      },
      { urls: [url, next.url] },
    );
    const { say } = await ownerSide;
    say(jobOf('1.1', 'hold'));
    await gate.arrived(1);
    hand.ownedBy(1);
    expect([hand.isConnected, reasons]).toEqual([true, []]);
    hand.ownedBy(2);
    await next.log.seen(connected);
    expect(reasons).toMatchObject([{ name: 'AbortedError' }]);
    await log.seen('the hand is connected', 2);
    hand.ownedBy(2);
    expect(hand.isConnected).toBe(true);
    expect(log.lines.filter(({ text }) => text === 'another node owns the pipelines; the hand goes there')).toHaveLength(1);
  });

  it('is rid of a connection whose owner says what it does not understand, and connects again', async () => {
    const { url, hand } = await rawOwner();
    const { log } = startHand(url, { echo: () => 1 });
    const { say, socket } = await hand;
    say({ t: 'gift' });
    await once(socket, 'close');
    await log.seen('the hand has lost its owner');
    expect(log.lines.map(({ text }) => text)).toContain('the owner has sent a message that is not valid');
  });
});

describe('a hand that is not as the owner needs it', () => {
  it('of another version is named, is given nothing, and does not count', async () => {
    const owner = await startOwner({ tasks: ['echo'] });
    startHand(owner.url, { echo: () => 'old' }, { name: 'old', version: '1.0.0' });
    const [line] = await owner.log.seen('a hand has connected that is given less than others');
    expect(line).toMatchObject({ hand: 'old', version: '1.0.0', fault: 'it runs Sluice 1.0.0, and this is 1.2.3: it is given nothing' });
    expect(owner.pool.isThereFor('task', 'echo')).toBe(false);
    const call = give(owner.pool, 'echo');
    expect(owner.pool.view()).toMatchObject({
      hands: [{ name: 'old', tasks: [], missing: ['echo'], fault: expect.stringContaining('it runs Sluice 1.0.0') }],
      waiting: [{ task: 'echo', calls: 1, why: expect.stringContaining('old: it runs Sluice 1.0.0') }],
    });
    startHand(owner.url, { echo: () => 'new' }, { name: 'new' });
    expect(await call.result).toBe('new');
    expect(owner.pool.isThereFor('task', 'echo')).toBe(true);
  });

  it('without a task, or with other files, is given the others', async () => {
    const owner = await startOwner({ tasks: ['echo', 'price'] });
    startHand(owner.url, { echo: () => 'here' }, { name: 'lean' });
    startHand(owner.url, { echo: () => 'no', price: () => 'no' }, { name: 'other', hash: 'x' });
    await owner.log.seen('a hand has connected that is given less than others', 2);
    expect(await give(owner.pool, 'echo').result).toBe('here');
    const call = give(owner.pool, 'price');
    const [line] = await owner.log.seen('a call waits for a hand that has its task; none that is connected has');
    expect(line?.hands).toEqual(expect.arrayContaining([{ name: 'lean', fault: expect.stringContaining('it lacks 1 of the tasks') }]));
    startHand(owner.url, { echo: () => 0, price: () => 12 }, { name: 'whole' });
    expect(await call.result).toBe(12);
  });

  it.each([
    ['of another protocol', { protocol: PROTOCOL + 1 }, 4426, /speaks protocol 2, and this is 1/],
    ['that says no capacity', { capacity: 0 }, 4426, /capacity/],
    ['that says something else first', { t: 'beat' }, 4426, /not a hello/],
  ])('is refused in words: one %s', async (_what, hello, code, reason) => {
    const owner = await startOwner({ tasks: ['echo'] });
    const { socket } = await rawHand(owner.url, hello);
    const [closed, why] = await once(socket, 'close');
    expect([closed, String(why)]).toEqual([code, expect.stringMatching(reason)]);
    expect(owner.pool.view().hands).toEqual([]);
  });

  it.each([
    ['text that is not JSON', (socket: WebSocket) => socket.send('{'), 4400],
    ['a message of no kind', (socket: WebSocket) => socket.send('[{"t":"gift"}]'), 4400],
    ['a part without a head', (socket: WebSocket) => socket.send(Buffer.from([1, 2])), 4400],
    ['a frame beyond all bounds', (socket: WebSocket) => socket.send('x'.repeat(300_000)), 1009],
  ])('loses its connection by %s, and its calls go to others', async (_what, spoil, code) => {
    const owner = await startOwner({ tasks: ['echo'] });
    const bad = await rawHand(owner.url);
    const call = give(owner.pool, 'echo', 5);
    await bad.next('job');
    spoil(bad.socket);
    const [closed] = await once(bad.socket, 'close');
    expect(closed).toBe(code);
    startHand(owner.url, { echo: (value) => value });
    expect(await call.result).toBe(5);
  });

  it('that is given a task which it lacks after all gives it back, and is not given it again', async () => {
    const owner = await startOwner({ tasks: ['echo'] });
    const bad = await rawHand(owner.url);
    const call = give(owner.pool, 'echo', 5);
    bad.say({ t: 'back', id: (await bad.next('job')).id, why: 'unknown-task' });
    await owner.log.seen('a call waits for a hand that has its task; none that is connected has');
    startHand(owner.url, { echo: (value) => value });
    expect(await call.result).toBe(5);
  });
});

describe('a large result', () => {
  it('of 20 MB arrives, while beats and other calls pass', async () => {
    const owner = await startOwner({ tasks: ['large', 'echo'], beatMs: 20, maxValueBytes: 32 * 1024 * 1024 });
    const text = 'äb'.repeat(7_000_000);
    startHand(owner.url, { large: () => ({ text }), echo: (value) => value });
    await owner.log.seen(connected);
    const large = give(owner.pool, 'large');
    const small = Array.from({ length: 20 }, (_, i) => give(owner.pool, 'echo', i));
    expect(await Promise.all(small.map(({ result }) => result))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect((await large.result) as object).toEqual({ text });
    expect(owner.pool.view().hands).toHaveLength(1);
  });

  it('beyond the bound fails the call, in words, and the connection lives', async () => {
    const owner = await startOwner({ tasks: ['large', 'echo'], maxValueBytes: 1_000_000 });
    startHand(owner.url, { large: (length: number) => 'x'.repeat(length), echo: (value) => value });
    await expect(give(owner.pool, 'large', 1_000_000).result).rejects.toMatchObject({
      name: 'ValueTooLarge',
      permanent: true,
      message: "the stage's result is larger than 1000000 bytes as JSON (MAX_VALUE_BYTES)",
    });
    expect(await give(owner.pool, 'large', 999_998).result).toHaveLength(999_998);
    expect(await give(owner.pool, 'echo', 1).result).toBe(1);
    expect(owner.log.lines.filter(({ text }) => text === gone)).toEqual([]);
  });

  it('beyond the bound from a hand that does not ask ends its connection', async () => {
    const owner = await startOwner({ tasks: ['echo'], maxValueBytes: 1000 });
    const bad = await rawHand(owner.url);
    for (let i = 0; i < 20; i++) bad.socket.send(Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), Buffer.alloc(65_536)]));
    const [code] = await once(bad.socket, 'close');
    expect(code).toBe(1009);
  });

  it('as a value that a hand is given arrives as well, and is taken back when it is aborted on its way', async () => {
    const owner = await startOwner({ tasks: ['size'] });
    let calls = 0;
    startHand(owner.url, {
      size: (value: string) => {
        calls++;
        return value.length;
      },
    });
    await owner.log.seen(connected);
    const text = 'x'.repeat(20_000_000);
    const aborted = give(owner.pool, 'size', text);
    aborted.abort();
    await expect(aborted.result).rejects.toThrow('stop');
    expect(owner.pool.view()).toMatchObject({ hands: [{ running: 0 }] });
    expect(await give(owner.pool, 'size', text).result).toBe(20_000_000);
    expect(calls).toBe(1);
  });
});

/** Passes bytes on until it is told to hold them. */
async function createProxy(port: number): Promise<{ url: string; hold(): void; goOn(): void }> {
  const pairs = new Set<[Socket, Socket]>();
  let isHeld = false;
  const server = createServer({ pauseOnConnect: true }, (from) => {
    const to = connect(port, '127.0.0.1');
    pairs.add([from, to]);
    const set = (socket: Socket, other: Socket): void => {
      socket.on('data', (bytes) => other.write(bytes));
      socket.on('error', () => undefined);
      socket.on('close', () => isHeld || other.destroy());
      if (isHeld) socket.pause();
      else socket.resume();
    };
    set(from, to);
    set(to, from);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const [from, to] of pairs) {
      from.destroy();
      to.destroy();
    }
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold() {
      isHeld = true;
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    goOn() {
      isHeld = false;
      for (const pair of pairs)
        for (const [socket, other] of [pair, [...pair].reverse()] as [Socket, Socket][]) {
          if (other.destroyed) socket.destroy();
          else socket.resume();
        }
    },
  };
}

describe('a network that is cut', () => {
  it('has the calls go to others after three silent beats; the hand aborts them, and comes back when it can', async () => {
    const owner = await startOwner({ tasks: ['hold'], beatMs: 25 });
    const proxy = await createProxy(owner.port);
    const gate = createGate();
    const reasons: unknown[] = [];
    const far = startHand(
      proxy.url,
      {
        hold: (_value, context: TaskContext) =>
          new Promise((_resolve, reject) => {
            void gate.pass();
            context.onAbort((reason) => {
              reasons.push(reason);
              reject(reason);
            });
          }),
      },
      { name: 'far' },
    );
    const call = give(owner.pool, 'hold', 1);
    await call.begun;
    proxy.hold();
    const [line] = await owner.log.seen(gone);
    expect(line).toMatchObject({ hand: 'far', why: 'nothing was heard of it for 3 beats', running: 1 });
    await far.log.seen('the hand has lost its owner');
    expect(reasons).toMatchObject([{ name: 'AbortedError' }]);
    expect(call.waits).toBe(1);
    proxy.goOn();
    await owner.log.seen(connected, 2);
    await gate.arrived(2);
    expect(owner.pool.view()).toMatchObject({ hands: [{ name: 'far', running: 1 }] });
    call.abort();
    await expect(call.result).rejects.toThrow('stop');
  });

  it('drops what a hand says that was given up, and tells it to stop', async () => {
    const owner = await startOwner({ tasks: ['echo'], beatMs: 15 });
    const silent = await rawHand(owner.url);
    const call = give(owner.pool, 'echo', 'again');
    const job = await silent.next('job');
    await owner.log.seen(gone);
    silent.say({ t: 'value', id: job.id, value: 'late' });
    const [code] = await once(silent.socket, 'close');
    expect([4408, 1006]).toContain(code);
    startHand(owner.url, { echo: (value) => value });
    expect(await call.result).toBe('again');
  });

  it('does not count against the calls of a hand that is known to be there still', async () => {
    const owner = await startOwner({ tasks: ['echo'], maxDeliveries: 1 });
    const first = await rawHand(owner.url, { instance: 'same' });
    const call = give(owner.pool, 'echo', 1);
    await first.next('job');
    const second = await rawHand(owner.url, { instance: 'same' });
    second.say({ t: 'value', id: (await second.next('job')).id, value: 'kept' });
    expect(await call.result).toBe('kept');
    expect(owner.pool.view().hands).toHaveLength(1);
  });
});

describe('a hand that leaves', () => {
  it('is given no more, and ends what it has', async () => {
    const owner = await startOwner({ tasks: ['hold'] });
    const gate = createGate();
    const { hand } = startHand(owner.url, { hold: async (value) => gate.pass().then(() => value) }, { name: 'old' });
    const running = give(owner.pool, 'hold', 1);
    await running.begun;
    const left = hand.leave(60_000);
    await owner.log.seen('a hand is leaving');
    const next = give(owner.pool, 'hold', 2);
    expect(owner.pool.view()).toMatchObject({
      hands: [{ leaving: true, running: 1 }],
      waiting: [{ why: 'the hands that have it are leaving' }],
    });
    gate.open();
    expect(await running.result).toBe(1);
    await left;
    expect(running.waits).toBe(0);
    startHand(owner.url, { hold: (value) => value }, { name: 'new' });
    expect(await next.result).toBe(2);
  });

  it('gives back what has not ended in time, which is not counted', async () => {
    const owner = await startOwner({ tasks: ['hold'], maxDeliveries: 1 });
    const reasons: unknown[] = [];
    const { hand } = startHand(owner.url, {
      hold: (_value, context: TaskContext) => new Promise(() => context.onAbort((reason) => reasons.push(reason))),
    });
    const call = give(owner.pool, 'hold', 1);
    await call.begun;
    await hand.leave(0);
    expect(reasons).toMatchObject([{ name: 'AbortedError', message: 'the hand ends' }]);
    startHand(owner.url, { hold: (value) => value });
    expect(await call.result).toBe(1);
    expect(call.waits).toBe(1);
  });
});

describe('an owner', () => {
  it('that closes rejects what has not ended, and lets go of its hands', async () => {
    const owner = await startOwner({ tasks: ['hold'] });
    const reasons: unknown[] = [];
    const { log } = startHand(
      owner.url,
      { hold: (_value, context: TaskContext) => new Promise(() => context.onAbort((reason) => reasons.push(reason))) },
      { capacity: 1 },
    );
    const [running, waiting] = [give(owner.pool, 'hold'), give(owner.pool, 'hold')];
    await running.begun;
    await owner.close();
    await expect(running.result).rejects.toMatchObject({ name: 'AbortedError' });
    await expect(waiting.result).rejects.toMatchObject({ name: 'AbortedError' });
    await expect(give(owner.pool, 'hold').result).rejects.toMatchObject({ name: 'AbortedError' });
    const [line] = await log.seen('the hand has lost its owner');
    expect(line).toMatchObject({ code: 1001, why: 'the service ends' });
    expect(reasons).toHaveLength(1);
  });
});
