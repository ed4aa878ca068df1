/** Owner and hands over real sockets, in one process: how they find each other, stay together, and part. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WebSocket } from 'ws';
import { PROTOCOL } from '../../../src/cluster/hands/protocol.ts';
import type { TaskContext } from '../../../src/engine/index.ts';
import { createGate, give, startHand, startOwner } from './harness.ts';
import { createProxy, jobOf, rawHand, rawOwner } from './raw-ends.ts';

const connected = 'a hand has connected';
const gone = 'a hand has gone';

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

describe('a hand that is refused', () => {
  it.each([
    [401, undefined, /: it takes hands with a key only, and OWNER_KEY is not set$/],
    [401, 'slc_worker_a-secret-of-a-hand', /: the key in OWNER_KEY is not one of its keys, or has expired$/],
    [403, 'slc_worker_a-secret-of-a-hand', /: the key in OWNER_KEY needs the scope work, for all pipelines$/],
    [404, undefined, /: OWNER_URL is not the address of a service that takes hands$/],
    [421, undefined, /: it does not accept the host name in OWNER_URL; see its ALLOWED_HOSTS$/],
    [503, undefined, /503$/],
  ])('with %i says what to change, and never shows its key', async (status, key, why) => {
    const server = createServer((_request, response) => response.writeHead(status).end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { log } = startHand(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {}, { key });
    await log.seen('the hand cannot connect');
    const [line] = log.lines.filter(({ text }) => text === 'the hand cannot connect');
    expect(line?.why).toMatch(why);
    expect(line?.why).toContain(`it answers ${status}`);
    expect(JSON.stringify(log.lines)).not.toContain('a-secret');
  });

  it('for its version says so in its own log', async () => {
    const { url, hand } = await rawOwner();
    const { log } = startHand(url, {}, { version: '0.0.1-other' });
    await hand;
    await log.seen('the hand is connected and is given nothing: it runs another version than the service');
    expect(log.lines.some(({ text }) => text === 'the hand is connected')).toBe(false);
  });
});
