/** How an owner finds out that it owns no more, and what it does then. */
import { describe, expect, it } from 'vitest';
import { Deposed } from '../../src/cluster/appender.ts';
import { follow } from '../../src/cluster/follower.ts';
import { LogConflict } from '../../src/cluster/log/log.ts';
import { TailLost } from '../../src/cluster/replica.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { StoreTrouble } from '../../src/engine/store.ts';
import { fact, factIn, kindsOf, owning, takingOver } from './owners.ts';
import { replicaAt } from './replicas.ts';

describe('an owner in whose place another has written', () => {
  it('is deposed for ever, is told so before anybody else, and asks the log for nothing more', async () => {
    const { clock, server, link, store, depositions } = await owning();
    await takingOver(server, clock);
    const error = await store.write(fact('1')).catch((why: unknown) => [why, depositions.length]);
    expect(error).toEqual([expect.any(Deposed), 1]);
    const { appends } = link;
    for (const again of [() => store.write(fact('2')), () => store.beat(), () => store.leave(), () => store.write(fact('1'))]) {
      await expect(again()).rejects.toBe(depositions[0]);
    }
    expect([link.appends, depositions.length]).toEqual([appends, 1]);
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
  });

  it('finds it out when its place was trimmed away, too', async () => {
    const { clock, server, store } = await owning();
    const other = await takingOver(server, clock);
    await other.store.write(fact('1'));
    server.trim(server.last);
    await expect(store.write(fact('2'))).rejects.toThrow('the log has gone on to entry 4 without this node');
  });

  it('writes nothing after it has seen that by following', async () => {
    const { clock, server, link, replica, store } = await owning();
    await takingOver(server, clock);
    const following = await follow({ log: link, replica, logger: silentLogger, lost: () => undefined });
    await clock.settle();
    expect(replica.ownership.node).toBe('b');
    await expect(store.write(fact('1'))).rejects.toThrow(Deposed);
    await following.stop();
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
  });

  it('is deposed when the log has lost what it has, and says that this is why', async () => {
    const { server, store } = await owning();
    await store.write(fact('1'));
    server.loseTail(2);
    await expect(store.write(fact('2'))).rejects.toMatchObject({ name: 'Deposed', cause: expect.any(TailLost) });
    expect(server.last).toBe(1);
  });

  it('is deposed when the log has lost its last entry and grown again as far, and its next one is not taken', async () => {
    const { clock, server, store } = await owning();
    const before = server.last;
    await store.beat();
    server.loseTail(1);
    await takingOver(server, clock);
    expect(server.last).toBe(before + 1);
    await expect(store.beat()).rejects.toMatchObject({ name: 'Deposed', cause: expect.any(TailLost) });
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
  });

  it('leaves a log that can be followed when its append was under way while that lost its end', async () => {
    const { clock, server, link, store } = await owning();
    await store.beat();
    link.fates.push('lands late');
    await expect(store.beat()).rejects.toThrow(StoreTrouble);
    server.loseTail(1);
    await takingOver(server, clock);
    // By now its position would be the next one.
    await clock.advance(link.lateMs);
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
    const other = await replicaAt();
    const following = await follow({ log: server.link(), replica: other, logger: silentLogger, lost: (why) => expect.fail(String(why)) });
    await clock.settle();
    await following.stop();
    expect(other.position).toBe(server.last);
  });

  it('goes on after a refusal that nothing explains', async () => {
    const { server, link, store, replica } = await owning();
    const put = server.put.bind(server);
    // Something was there for a moment, and is gone.
    server.put = () => {
      server.put = put;
      throw new LogConflict('there was something');
    };
    const writes = fact('1');
    await expect(store.write(writes)).rejects.toThrow('its log refuses entries');
    await store.write(writes);
    expect([link.appends, factIn(replica)]).toEqual([4, '1']);
  });

  it('is in trouble, and no more, while the place cannot be read', async () => {
    const { link, server, store } = await owning();
    link.fates.push('ack lost');
    const writes = fact('1');
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    link.isBlind = true;
    await expect(store.write(writes)).rejects.toThrow('its log cannot be read');
    link.isBlind = false;
    await store.write(writes);
    expect(server.last).toBe(3);
  });
});
