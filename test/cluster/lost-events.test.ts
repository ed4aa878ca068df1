/** Readers of events after the log has lost its end, which none of the nodes need have noticed: each id stands for one event, for ever. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, type EventSource, type LocalHost } from '../../src/engine/index.ts';
import { systemClock, systemPorts } from '../../src/engine/ports.ts';
import { ORDER } from '../../src/engine/store.ts';
import { eventPosition } from '../../src/http/sse/event-query.ts';
import { ALL, named } from '../conformance/world.ts';
import { folderWith } from '../loader/folder.ts';
import { HOST, registryOf } from '../stores/durable-host.ts';
import { Copies, type Copy } from './copies.ts';
import { FaultLog } from './fault-log.ts';
import { claim, storeOn } from './replicas.ts';

const NO_BOUND = { characters: Number.MAX_SAFE_INTEGER };
const registry = registryOf({ pass: (value) => value });

/** Durations are kept so exactly. */
const inMicroseconds = (key: string, value: unknown): unknown =>
  key === 'durationSeconds' && typeof value === 'number' ? value.toFixed(6) : value;

/** An id, and what was told with it. */
type Told = [id: string, text: string];

/** All that a reader without an id before is told. */
function toldBy({ events }: { events: EventSource }): Told[] {
  const { events: read } = events.read(0, Number.MAX_SAFE_INTEGER, ALL, { ...NO_BOUND });
  return read.map(({ seq, ...event }) => [events.lines.idOf(seq), JSON.stringify(event, inMicroseconds)]);
}

/** The reader that has seen an event last: what it is told now. */
function resumed({ events }: { events: EventSource }, id: string): { gap: boolean; ids: string[] } {
  const { after, gap } = eventPosition(events, id, undefined);
  const { events: read } = events.read(after, Number.MAX_SAFE_INTEGER, ALL, { ...NO_BOUND });
  return { gap, ids: read.map(({ seq }) => events.lines.idOf(seq)) };
}

class Nodes {
  readonly server = new FaultLog(systemClock);
  readonly copies = new Copies(this.server, folderWith());
  private current: { node: Copy; host: LocalHost } | null = null;

  constructor() {
    onTestFinished(async () => {
      await this.end();
      await this.copies.close();
    });
  }

  get host(): LocalHost {
    return (this.current as { host: LocalHost }).host;
  }

  /** A new node owns, or the one that did last; whoever owned before is gone from one moment to the next. `goesOn`: false for one that is gone before anything happens. */
  async own(which: 'another' | 'the same' = 'another', goesOn = true): Promise<void> {
    const before = this.current?.node;
    await this.end();
    if (which === 'another' || before === undefined) await this.copies.join();
    const node = which === 'another' || before === undefined ? this.copies.newest : before;
    await this.copies.catchUp([node]);
    await this.copies.stop(node);
    const link = this.server.link();
    await claim(link, node.replica, node.name, systemClock.now());
    const store = storeOn(link, node.replica, systemClock, { node: node.name });
    const host = createLocalHost({ ...HOST, registry, ports: systemPorts, store });
    this.current = { node, host };
    await host.recover();
    if (goesOn) host.goOn();
  }

  async create(id: string): Promise<void> {
    await this.host.create({ id, stages: [{ name: 'S', tasks: ['pass'] }] });
  }

  /** Adds events to a pipeline; all are shown when it resolves. */
  async run(id: string, ...items: string[]): Promise<void> {
    await this.host.get(id).run(named(...items), {});
    await this.host.settle();
  }

  /** The log has lost what came after an entry. */
  loseAfter(position: number): void {
    this.copies.loseTail(this.server.last - position);
  }

  private async end(): Promise<void> {
    await this.current?.host.abandon();
    await this.current?.host.shutdown('force', 1);
    this.current = null;
  }
}

/** Every id that was ever told is known as long as its event is there, and then all that follows is told; else its reader hears of a gap. */
function expectTrue(source: { events: EventSource }, told: readonly Told[]): { lost: number } {
  const now = toldBy(source);
  const texts = new Map(now);
  const before = new Map(told);
  let lost = 0;
  for (const [id, text] of before) {
    const { after, gap } = eventPosition(source.events, id, undefined);
    if (!gap) expect([id, texts.get(id)]).toEqual([id, text]);
    expect([id, gap]).toEqual([id, !texts.has(id)]);
    if (gap) lost++;
    // The event after which it goes on.
    else expect(now[after - 1]?.[0]).toBe(id);
  }
  const [last] = [...before.keys()].filter((id) => texts.has(id)).slice(-1);
  if (last !== undefined) expect(resumed(source, last).ids).toEqual(now.slice(now.findIndex(([id]) => id === last) + 1).map(([id]) => id));
  return { lost };
}

describe.each(['another', 'the same'] as const)('after the log has lost its end and %s node owns', (next) => {
  it('readers of lost events are told of a gap, and no others', async () => {
    const nodes = new Nodes();
    await nodes.own();
    for (const id of ['p', 'q']) await nodes.create(id);
    await nodes.run('p', 'a', 'b', 'c');
    await nodes.run('q', 'a');
    const [kept, position] = [nodes.host.get('p').events.newest, nodes.server.last];
    await nodes.run('p', 'lost-1', 'lost-2');
    const told = { p: toldBy(nodes.host.get('p')), q: toldBy(nodes.host.get('q')), all: toldBy(nodes.host) };
    nodes.loseAfter(position);

    await nodes.own(next);
    const { host } = nodes;
    expect(host.get('p').events.newest).toBe(kept);
    // Nobody has written anything yet.
    const lost = { p: told.p.length - kept, q: 0, all: told.p.length - kept };
    const look = (): object => ({
      p: expectTrue(host.get('p'), told.p).lost,
      q: expectTrue(host.get('q'), told.q).lost,
      all: expectTrue(host, told.all).lost,
    });
    expect(lost.p).toBeGreaterThan(5);
    expect(look()).toEqual(lost);
    await nodes.run('p', 'new-1', 'new-2', 'new-3', 'new-4');
    await nodes.run('q', 'new');
    expect(host.get('p').events.newest).toBeGreaterThan(told.p.length);
    expect(host.events.newest).toBeGreaterThan(told.all.length);
    expect(look()).toEqual(lost);
    expect(resumed(host.get('p'), told.p[kept - 1]?.[0] as string).ids).toHaveLength(host.get('p').events.newest - kept);
  });
});

describe('a takeover', () => {
  it('gives no reader a gap and no event another id, whoever has told of it', async () => {
    const nodes = new Nodes();
    await nodes.own();
    await nodes.create('p');
    const told: { p: Told[][]; all: Told[][] } = { p: [], all: [] };
    for (const which of ['another', 'the same', 'another', 'another'] as const) {
      await nodes.run('p', `a-${told.p.length}`, `b-${told.p.length}`);
      told.p.push(toldBy(nodes.host.get('p')));
      told.all.push(toldBy(nodes.host));
      await nodes.own(which);
      expect(expectTrue(nodes.host.get('p'), told.p.flat()).lost).toBe(0);
      expect(expectTrue(nodes.host, told.all.flat()).lost).toBe(0);
    }
    // Each owner has told of events by a name of its own.
    for (const events of [told.p.at(-1), told.all.at(-1)])
      expect(new Set(events?.map(([id]) => id.slice(0, id.lastIndexOf('-')))).size).toBe(4);
  });

  it('of which nothing came before the next one leaves no name, and no reader with one that is not known', async () => {
    const nodes = new Nodes();
    await nodes.own();
    await nodes.create('p');
    await nodes.create('silent');
    await nodes.run('p', 'a');
    const told = toldBy(nodes.host.get('p'));
    const asOf: string[] = [];
    for (let i = 0; i < 3; i++) {
      await nodes.own('another', false);
      for (const id of ['p', 'silent']) asOf.push((await nodes.host.get(id).stats()).asOf);
      const { events } = nodes.host;
      asOf.push(events.lines.idOf(events.newest));
    }
    expect(new Set(asOf).size).toBe(3);
    await nodes.own();
    await nodes.run('p', 'b');
    expect(expectTrue(nodes.host.get('p'), told).lost).toBe(0);
    const [p, silent, all] = asOf as [string, string, string];
    for (const [source, id] of [
      [nodes.host.get('p'), p],
      [nodes.host.get('silent'), silent],
      [nodes.host, all],
    ] as const)
      expect(resumed(source, id).gap).toBe(false);
    const { epoch, before } = JSON.parse(nodes.copies.newest.replica.store.pipelines()[0]?.facts.identity as string);
    expect([epoch === nodes.host.get('p').events.lines.current, before]).toEqual([true, [[told[0]?.[0].split('-')[0], 1]]]);
  });

  it('goes on from what a version has left that knew one line', async () => {
    const nodes = new Nodes();
    await nodes.own();
    await nodes.create('p');
    await nodes.run('p', 'a');
    const { store } = nodes.copies.newest.replica;
    const facts = [store.pipelines()[0]?.facts.identity, store.facts(ORDER)[ORDER]].map((json) => JSON.parse(json as string));
    // Of the first owner, they are as that version wrote them.
    expect(facts).toEqual([
      { idPrefix: expect.any(String), epoch: nodes.host.get('p').events.lines.current },
      { epoch: nodes.host.events.lines.current },
    ]);
    const told = { p: toldBy(nodes.host.get('p')), all: toldBy(nodes.host) };
    await nodes.own();
    await nodes.run('p', 'b');
    expect(expectTrue(nodes.host.get('p'), told.p).lost).toBe(0);
    expect(expectTrue(nodes.host, told.all).lost).toBe(0);
  });
});

describe('when the log loses its end', () => {
  it('again and again, also all that an owner has told, an id never stands for two events', async () => {
    const nodes = new Nodes();
    await nodes.own();
    await nodes.create('p');
    await nodes.run('p', 'first');
    const told: { p: Told[]; all: Told[] } = { p: [], all: [] };
    const positions = [nodes.server.last];
    for (const [i, lost] of [0, 1, 0, 2, 1, 1, 3].entries()) {
      await nodes.run('p', `of-${i}`, ...Array.from({ length: i }, (_, n) => `more-${i}-${n}`));
      positions.push(nodes.server.last);
      told.p.push(...toldBy(nodes.host.get('p')));
      told.all.push(...toldBy(nodes.host));
      positions.splice(positions.length - lost, lost);
      nodes.loseAfter(positions.at(-1) as number);
      await nodes.own(i % 2 === 0 ? 'another' : 'the same');
      expectTrue(nodes.host.get('p'), told.p);
      expectTrue(nodes.host, told.all);
    }
    await nodes.run('p', 'last');
    expect(expectTrue(nodes.host.get('p'), told.p).lost).toBeGreaterThan(0);
    expect(expectTrue(nodes.host, told.all).lost).toBeGreaterThan(0);
  });

  it('and with it a pipeline, one of the same name has other ids', async () => {
    const nodes = new Nodes();
    await nodes.own();
    await nodes.create('stays');
    await nodes.run('stays', 'a');
    const position = nodes.server.last;
    await nodes.create('p');
    await nodes.run('p', 'a', 'b');
    const told = { p: toldBy(nodes.host.get('p')), all: toldBy(nodes.host), stays: toldBy(nodes.host.get('stays')) };
    nodes.loseAfter(position);
    await nodes.own();
    await nodes.create('p');
    await nodes.run('p', 'a', 'b', 'c');
    expect(expectTrue(nodes.host.get('p'), told.p).lost).toBe(told.p.length);
    expect(expectTrue(nodes.host, told.all).lost).toBe(told.p.length);
    expect(expectTrue(nodes.host.get('stays'), told.stays).lost).toBe(0);
  });
});
