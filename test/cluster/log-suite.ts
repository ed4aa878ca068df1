/** What every log, its snapshots and its presence must do, whatever keeps them; followed by those for the other ports in backbone-suite.ts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backbone, type Log, LogConflict } from '../../src/cluster/log/log.ts';
import { followed } from './followed.ts';
import { afterEntry, appendAt, BEGINNING, placeAt } from './places.ts';

/** One server, and as many nodes of it as are opened. */
export interface ServerUnderTest {
  open(): Promise<Backbone>;
  dispose(): Promise<void>;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

export async function appendAll(log: Log, texts: readonly string[]): Promise<void> {
  let { last } = await log.ends();
  let place = await placeAt(log, last);
  for (const text of texts) {
    const bytes = bytesOf(text);
    await log.append(place, bytes);
    place = afterEntry(++last, bytes);
  }
}

/** Appends after whatever is last until it is in; resolves with its position. */
async function appendSomewhere(log: Log, bytes: Uint8Array): Promise<number> {
  for (;;) {
    const { last } = await log.ends();
    try {
      await appendAt(log, last, bytes);
      return last + 1;
    } catch (error) {
      if (!(error instanceof LogConflict)) throw error;
    }
  }
}

export function logSuite(name: string, start: () => Promise<ServerUnderTest>): void {
  describe(`the log of ${name}`, () => {
    let server: ServerUnderTest;
    let backbones: Backbone[];
    let log: Log;
    const open = async (): Promise<Backbone> => {
      const backbone = await server.open();
      backbones.push(backbone);
      return backbone;
    };

    beforeEach(async () => {
      server = await start();
      backbones = [];
      log = (await open()).log;
    });
    afterEach(async () => {
      await Promise.all(backbones.map((backbone) => backbone.close()));
      await server.dispose();
    });

    describe('append', () => {
      it('begins at 1, and keeps bytes as they are', async () => {
        expect(await log.ends()).toEqual({ first: 0, last: 0 });
        expect(await log.read(0)).toBeUndefined();
        expect(await log.read(1)).toBeUndefined();
        const bytes = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
        await log.append(BEGINNING, bytes);
        await log.append(afterEntry(1, bytes), new Uint8Array());
        await log.append(afterEntry(2, new Uint8Array()), bytesOf('\\x00 \\000 \0 é'));
        expect(await log.ends()).toEqual({ first: 1, last: 3 });
        expect(Uint8Array.from((await log.read(1))?.bytes ?? [])).toEqual(bytes);
        expect((await log.read(2))?.bytes.length).toBe(0);
        expect(textOf((await log.read(3))?.bytes)).toBe('\\x00 \\000 \0 é');
      });

      it('sends the bytes that it was given, and not those around them', async () => {
        const around = bytesOf('before|it|after');
        await log.append(BEGINNING, around.subarray(7, 9));
        expect(textOf((await log.read(1))?.bytes)).toBe('it');
      });

      it('conflicts where an entry is already, or none right before, and appends nothing', async () => {
        await appendAll(log, ['a', 'b', 'c']);
        const other = (await open()).log;
        for (const position of [0, 1, 2, 4, 100]) await expect(appendAt(other, position, bytesOf('x'))).rejects.toThrow(LogConflict);
        expect(await other.ends()).toEqual({ first: 1, last: 3 });
        expect(textOf((await other.read(2))?.bytes)).toBe('b');
        await appendAt(other, 3, bytesOf('d'));
        expect(await log.ends()).toEqual({ first: 1, last: 4 });
      });

      it('conflicts where the entry before is another one than that of the token, though its position is right', async () => {
        await appendAll(log, ['a', 'b']);
        for (const { token } of [afterEntry(2, bytesOf('another b')), afterEntry(1, bytesOf('a')), BEGINNING]) {
          await expect(log.append({ position: 2, token }, bytesOf('x'))).rejects.toThrow(LogConflict);
        }
        expect(await log.ends()).toEqual({ first: 1, last: 2 });
        await log.append(afterEntry(2, bytesOf('b')), bytesOf('c'));
        expect(textOf((await log.read(3))?.bytes)).toBe('c');
      });

      it('takes one of fifty at the same place', async () => {
        const logs = [log, (await open()).log, (await open()).log, (await open()).log];
        for (let round = 0; round < 5; round++) {
          const place = await placeAt(log, round);
          const tries = await Promise.allSettled(
            Array.from({ length: 50 }, (_, i) => (logs[i % logs.length] as Log).append(place, bytesOf(`${round}/${i}`))),
          );
          const taken = tries.flatMap(({ status }, i) => (status === 'fulfilled' ? [`${round}/${i}`] : []));
          expect(taken).toHaveLength(1);
          expect(
            tries.flatMap((each) => (each.status === 'rejected' && !(each.reason instanceof LogConflict) ? [each.reason] : [])),
          ).toEqual([]);
          expect(textOf((await log.read(round + 1))?.bytes)).toBe(taken[0]);
        }
      });

      it('puts what many append at once into one order without a hole', async () => {
        const logs = [log, (await open()).log, (await open()).log];
        const texts = Array.from({ length: 30 }, (_, i) => `entry ${i}`);
        const positions = await Promise.all(texts.map((text, i) => appendSomewhere(logs[i % logs.length] as Log, bytesOf(text))));
        expect(positions.toSorted((a, b) => a - b)).toEqual(texts.map((_, i) => i + 1));
        for (const [i, position] of positions.entries()) expect(textOf((await log.read(position))?.bytes)).toBe(texts[i]);
      });

      it('takes entries as large as it says, and no larger', async () => {
        await expect(log.append(BEGINNING, new Uint8Array(log.maxBytes + 1))).rejects.toThrow(String(log.maxBytes));
        expect(await log.ends()).toEqual({ first: 0, last: 0 });
        await log.append(BEGINNING, new Uint8Array(log.maxBytes).fill(7));
        expect((await log.read(1))?.bytes.length).toBe(log.maxBytes);
      });

      it('rejects with the reason of a signal that has been aborted, and appends nothing', async () => {
        await expect(log.append(BEGINNING, bytesOf('x'), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
        await log.append(BEGINNING, bytesOf('y'), new AbortController().signal);
        expect(textOf((await log.read(1))?.bytes)).toBe('y');
      });
    });

    describe('trim', () => {
      it('forgets the entries up to a position, and never the last one', async () => {
        await log.trim(5);
        expect(await log.ends()).toEqual({ first: 0, last: 0 });
        await appendAll(log, ['a', 'b', 'c', 'd']);
        await log.trim(0);
        expect(await log.ends()).toEqual({ first: 1, last: 4 });
        await log.trim(2);
        expect(await log.ends()).toEqual({ first: 3, last: 4 });
        expect(await log.read(2)).toBeUndefined();
        await log.trim(2);
        await log.trim(99);
        expect(await log.ends()).toEqual({ first: 4, last: 4 });
        await appendAll(log, ['e']);
        expect(await log.ends()).toEqual({ first: 4, last: 5 });
      });

      it('leaves no place in the past where somebody who slept could append', async () => {
        await appendAll(log, ['a', 'b', 'c', 'd', 'e', 'f']);
        await log.trim(6);
        for (const [i, text] of ['a', 'b', 'c', 'd', 'e'].entries()) {
          await expect(log.append(afterEntry(i + 1, bytesOf(text)), bytesOf('x'))).rejects.toThrow(LogConflict);
        }
        await expect(log.append(BEGINNING, bytesOf('x'))).rejects.toThrow(LogConflict);
        expect(await log.ends()).toEqual({ first: 6, last: 6 });
      });

      it('goes on while others append', async () => {
        const other = (await open()).log;
        const texts = Array.from({ length: 40 }, (_, i) => String(i));
        const appending = appendAll(other, texts);
        for (let upTo = 0; upTo < 40; upTo += 5) await log.trim(upTo);
        await appending;
        expect((await log.ends()).last).toBe(40);
        await log.trim(40);
        expect(await log.ends()).toEqual({ first: 40, last: 40 });
      });
    });

    describe('follow', () => {
      it('gives the entries after a position, one at a time, and those that come', async () => {
        await appendAll(log, ['a', 'b', 'c']);
        let running = 0;
        const reader = await followed((await open()).log, 1, async () => {
          running++;
          await new Promise((resolve) => setImmediate(resolve));
          expect(running--).toBe(1);
        });
        await reader.count(2);
        await appendAll(log, ['d', 'e']);
        await reader.count(4);
        await reader.stop();
        expect(reader.entries.map(({ position, bytes }) => `${position} ${textOf(bytes)}`)).toEqual(['2 b', '3 c', '4 d', '5 e']);
        expect(reader.losses).toEqual([]);
      });

      it('gives none after it was stopped, and stops when the one under way is done', async () => {
        await appendAll(log, ['a', 'b', 'c']);
        const begun = Promise.withResolvers<void>();
        const gate = Promise.withResolvers<void>();
        const reader = await followed((await open()).log, 0, async () => {
          begun.resolve();
          await gate.promise;
        });
        await begun.promise;
        let isStopped = false;
        const stopping = reader.stop().then(() => {
          isStopped = true;
        });
        await log.ends();
        expect(isStopped).toBe(false);
        gate.resolve();
        await stopping;
        expect(reader.entries.map(({ position }) => position)).toEqual([1]);
        expect(reader.losses).toEqual([]);
      });

      it('is lost once when an entry cannot be handled, and gives no further ones', async () => {
        await appendAll(log, ['a', 'b', 'c']);
        const reader = await followed(log, 0, async ({ position }) => {
          if (position === 2) throw new Error('cannot apply');
        });
        expect(await reader.lost).toMatchObject({ message: 'cannot apply' });
        await reader.stop();
        expect(reader.entries.map(({ position }) => position)).toEqual([1]);
        expect(reader.losses).toHaveLength(1);
      });

      it('is lost when the entries that come next have been trimmed', async () => {
        await appendAll(log, ['a', 'b', 'c', 'd']);
        await log.trim(3);
        const reader = await followed(log, 1);
        expect(await reader.lost).toMatchObject({ message: expect.stringContaining('from 2 on have been trimmed') });
        await reader.stop();
        expect(reader.losses).toHaveLength(1);
        const next = await followed(log, 3);
        await next.count(1);
        await next.stop();
        expect(next.entries.map(({ position }) => position)).toEqual([4]);
      });

      it('is lost when the log ends before the position', async () => {
        await appendAll(log, ['a', 'b']);
        const reader = await followed(log, 5);
        expect(await reader.lost).toMatchObject({ message: expect.stringContaining('lost its end') });
        await reader.stop();
      });

      it('serves several at once, each at its own pace', async () => {
        const texts = Array.from({ length: 100 }, (_, i) => `entry ${i}`);
        const gate = Promise.withResolvers<void>();
        const slow = await followed(log, 0, () => gate.promise);
        const fast = await followed((await open()).log, 0);
        const late = await followed(log, 0);
        await appendAll(log, texts);
        await Promise.all([fast.count(100), late.count(100)]);
        expect(slow.entries).toEqual([]);
        gate.resolve();
        await slow.count(100);
        for (const reader of [slow, fast, late]) {
          await reader.stop();
          expect(reader.entries.map(({ bytes }) => textOf(bytes))).toEqual(texts);
        }
      });
    });
  });
}
