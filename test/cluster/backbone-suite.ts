/** What snapshots and presence must do, whatever keeps them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backbone, NodeInfo } from '../../src/cluster/log/log.ts';
import type { ServerUnderTest } from './log-suite.ts';

const node = (name: string, more: Partial<NodeInfo> = {}): NodeInfo => ({
  name,
  url: `http://${name}:3000`,
  role: 'follower',
  position: 7,
  hands: 2,
  version: '0.1.0',
  format: 1,
  ...more,
});

export function backboneSuite(name: string, start: () => Promise<ServerUnderTest>): void {
  describe(`snapshots and presence of ${name}`, () => {
    let server: ServerUnderTest;
    let folder: string;
    let one: Backbone;
    let other: Backbone;

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'snapshots-'));
      server = await start();
      [one, other] = [await server.open(), await server.open()];
    });
    afterEach(async () => {
      await Promise.all([one.close(), other.close()]);
      await server.dispose();
      rmSync(folder, { recursive: true });
    });

    const fileOf = (content: string | Buffer): string => {
      const file = join(folder, 'from');
      writeFileSync(file, content);
      return file;
    };
    const newest = async (): Promise<{ position: number; content: string } | null> => {
      const found = await other.snapshots.newest();
      if (found === null) return null;
      const file = join(folder, 'to');
      await found.fetch(file);
      return { position: found.position, content: readFileSync(file, 'utf8') };
    };

    it('finds the snapshot of the highest position', async () => {
      expect(await newest()).toBeNull();
      await one.snapshots.put(5, fileOf('five'));
      expect(await newest()).toEqual({ position: 5, content: 'five' });
      await one.snapshots.put(9, fileOf('nine'));
      await other.snapshots.put(7, fileOf('seven'));
      expect(await newest()).toEqual({ position: 9, content: 'nine' });
      await one.snapshots.put(9, fileOf('nine again'));
      expect(await newest()).toEqual({ position: 9, content: 'nine again' });
    });

    it('finds one up to a position, and keeps the two that were put last, wherever they are', async () => {
      for (const position of [20, 30, 8, 9]) await one.snapshots.put(position, fileOf(String(position)));
      expect((await other.snapshots.newest())?.position).toBe(9);
      expect((await other.snapshots.newest(8))?.position).toBe(8);
      expect(await other.snapshots.newest(7)).toBeNull();
      expect((await other.snapshots.newest(1000))?.position).toBe(9);
    });

    it('keeps the two newest, so one that is being read stays for one more', async () => {
      await one.snapshots.put(1, fileOf('first'));
      const first = await other.snapshots.newest();
      await one.snapshots.put(2, fileOf('second'));
      const to = join(folder, 'first');
      await first?.fetch(to);
      expect(readFileSync(to, 'utf8')).toBe('first');
    });

    it('keeps files of any size, byte by byte', async () => {
      for (const size of [0, 1, 1024 * 1024, 3_500_001]) {
        const bytes = Buffer.alloc(size);
        for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
        await one.snapshots.put(size + 1, fileOf(bytes));
        const to = join(folder, 'to');
        await (await other.snapshots.newest())?.fetch(to);
        expect(Buffer.compare(readFileSync(to), bytes)).toBe(0);
      }
    });

    it('has none of a file that could not be read', async () => {
      await expect(one.snapshots.put(3, join(folder, 'nowhere'))).rejects.toThrow('ENOENT');
      expect(await other.snapshots.newest()).toBeNull();
    });

    it('lists the nodes that have announced themselves, as they last did, until they leave', async () => {
      expect(await one.presence.list()).toEqual([]);
      await one.presence.announce(node('b'));
      await other.presence.announce(node('a', { role: 'owner', position: 2 ** 40, hands: 0 }));
      await one.presence.announce(node('b', { position: 8 }));
      const nodes = await other.presence.list();
      expect(nodes.map(({ agoSeconds: _, ...rest }) => rest)).toEqual([
        node('a', { role: 'owner', position: 2 ** 40, hands: 0 }),
        node('b', { position: 8 }),
      ]);
      for (const { agoSeconds } of nodes) expect(agoSeconds).toSatisfy((ago: number) => ago >= 0 && ago < 60);
      await other.presence.leave('a');
      await one.presence.leave('nobody');
      expect((await other.presence.list()).map(({ name }) => name)).toEqual(['b']);
    });

    it('tells who else has a name or an address, and with another stamp each time that they announce themselves', async () => {
      const me = { name: 'a', url: 'http://a:3000' };
      await one.presence.announce(node('a'));
      await other.presence.announce(node('b'));
      expect(await one.presence.rivals(me)).toEqual([]);
      await one.presence.announce(node('a', { position: 8 }));
      expect(await one.presence.rivals(me)).toEqual([]);
      await other.presence.announce(node('c', { url: me.url }));
      const [first, ...more] = await one.presence.rivals(me);
      expect([first?.name, first?.url, more]).toEqual(['c', me.url, []]);
      expect(first?.agoSeconds).toSatisfy((ago: number) => ago >= 0 && ago < 60);
      expect((await one.presence.rivals(me))[0]?.stamp).toBe(first?.stamp);
      await other.presence.announce(node('c', { url: me.url }));
      expect((await one.presence.rivals(me))[0]?.stamp).not.toBe(first?.stamp);
      await other.presence.leave('c');
      await other.presence.announce(node('a', { url: 'http://elsewhere:3000' }));
      expect(await one.presence.rivals(me)).toMatchObject([{ name: 'a', url: 'http://elsewhere:3000' }]);
      expect(await other.presence.rivals({ name: 'a', url: 'http://elsewhere:3000' })).toEqual([]);
    });

    it('leaves the row of a name to whoever has written it last', async () => {
      await one.presence.announce(node('a'));
      await other.presence.announce(node('a', { position: 8 }));
      await one.presence.leave('a');
      expect(await one.presence.list()).toMatchObject([{ name: 'a', position: 8 }]);
      await other.presence.leave('a');
      expect(await one.presence.list()).toEqual([]);
    });
  });
}
