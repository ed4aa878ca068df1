import { describe, expect, it } from 'vitest';
import type { NodeInfo } from '../../src/cluster/log/log.ts';
import { Passages } from '../../src/cluster/node/passages.ts';
import { PresenceTeller } from '../../src/cluster/node/presence-teller.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { MemoryLogServer } from './memory-log.ts';

const info = (name: string, role: NodeInfo['role'] = 'follower'): NodeInfo => ({
  ...{ name, url: `http://${name}:1`, role, position: 7, hands: 0, version: '0.1.0', format: 1 },
});

function world(role: NodeInfo['role'] = 'follower') {
  const clock = new VirtualClock();
  const server = new MemoryLogServer(() => clock.monotonic());
  const { presence } = server.open();
  const known: { owner: string | null } = { owner: null };
  const teller = new PresenceTeller({
    ...{ presence, passages: new Passages(), clock, logger: silentLogger, answerMs: 3000, changed: () => undefined },
    self: () => ({ ...info('me', role), lagSeconds: 0 }),
    owner: () => known.owner,
  });
  const shown = async () => (await teller.nodes()).map((node) => [node.name, node.role, node.lagSeconds]);
  return { clock, server, presence, known, teller, shown };
}

describe('a node in the list', () => {
  it('that was the owner and is silent is none beside the next one, and is further behind the longer that lasts', async () => {
    const { clock, server, known, shown } = world('owner');
    await server.open().presence.announce(info('old', 'owner'));
    known.owner = 'me';
    expect(await shown()).toEqual([
      ['me', 'owner', 0],
      ['old', 'follower', 0],
    ]);
    await clock.advance(30_000);
    expect(await shown()).toEqual([
      ['me', 'owner', 0],
      ['old', 'follower', 30],
    ]);
    await clock.advance(30_000);
    expect(await shown()).toEqual([['me', 'owner', 0]]);
  });

  it.each([
    ['the log names it', 'old', 'owner', 0, 'owner'],
    ['the log names it, whatever it last said', 'old', 'follower', 0, 'owner'],
    ['the log names another', 'next', 'owner', 0, 'follower'],
    ['nobody is known and it says so', null, 'owner', 0, 'owner'],
    ['nobody is known and it is silent', null, 'owner', 5000, 'follower'],
    ['nobody is known and it does not say so', null, 'follower', 0, 'follower'],
  ] as const)('is the owner when that is so: %s', async (_, owner, said, silentMs, role) => {
    const { clock, server, known, shown } = world();
    await server.open().presence.announce(info('old', said));
    await clock.advance(silentMs);
    known.owner = owner;
    expect((await shown()).find(([name]) => name === 'old')?.[1]).toBe(role);
  });
});

describe('a node that ends', () => {
  it.each(['announce', 'rivals'] as const)('is not in the list again, whatever is under way: %s', async (step) => {
    const { clock, server, presence, teller } = world();
    await clock.finish(teller.admitted());
    const [gate, reached] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const call = presence[step] as (node: NodeInfo) => Promise<unknown>;
    Object.assign(presence, {
      [step]: async (node: NodeInfo) => {
        reached.resolve();
        await gate.promise;
        return call.call(presence, node);
      },
    });
    teller.tell();
    await reached.promise;
    const closed = teller.close();
    await clock.settle();
    gate.resolve();
    await closed;
    teller.tell();
    await clock.advance(10_000);
    expect([...server.nodes.keys()]).toEqual([]);
  });
});
