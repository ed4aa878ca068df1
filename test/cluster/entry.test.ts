import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../src/cluster/entry/bytes.ts';
import {
  BATCH_OVERHEAD,
  type EntryBody,
  EntryFault,
  FORMAT,
  packEntry,
  UnknownFormat,
  unpackEntry,
} from '../../src/cluster/entry/entry.ts';
import { SHAPES } from '../../src/cluster/entry/items.ts';
import { packWrites, unpackWrites } from '../../src/cluster/entry/writes.ts';
import { NO_TOKEN, tokenOf } from '../../src/cluster/log/token.ts';
import { ItemPacker } from '../../src/engine/contract/item-row.ts';
import { WRITE_NEW, WRITE_STATE } from '../../src/engine/store.ts';
import { noWrites } from '../stores/store-writes.ts';
import { anyWrites } from './writes.ts';

const at = Date.UTC(2026, 0, 1);
const bytes = fc.uint8Array({ maxLength: 40 });
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const epoch = fc.integer({ min: 1, max: 2 ** 40 });
const instant = fc.integer({ min: 0, max: 4e12 });
const anyBody: fc.Arbitrary<EntryBody> = fc.oneof(
  fc.record({ kind: fc.constant('own' as const), node: text, url: text, at: instant, nonce: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('beat' as const), epoch, node: text, url: text, at: instant }),
  fc.record({ kind: fc.constant('leave' as const), epoch, at: instant }),
  fc.record({ kind: fc.constant('seed' as const), at: instant }),
  fc
    .tuple(epoch, epoch, fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 500 }), instant, bytes)
    .map(([epoch, number, part, more, at, bytes]) => ({ kind: 'batch' as const, epoch, number, part, parts: part + more, at, bytes })),
);
const anyToken = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((token) => Buffer.from(token).toString('hex'));

/** The error of `read`; the test fails when there is none. */
function faultOf(read: () => unknown): Error {
  try {
    read();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('a number as bytes', () => {
  it('is read as it was written, whole or not, near to another or far', () => {
    const some = fc.oneof(
      fc.maxSafeInteger(),
      fc.double(),
      fc.integer({ min: -70, max: 70 }),
      fc.constantFrom(2 ** 53, -(2 ** 53), 63, 64, 8191, 8192),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(some, some)), (pairs) => {
        const out = new ByteWriter();
        for (const [value, other] of pairs) {
          out.number(value);
          out.near(value, other);
        }
        const from = new ByteReader(out.take());
        for (const [value, other] of pairs) {
          expect(from.number() + 0).toBe(value + 0);
          expect(from.near(other) + 0).toBe(value + 0);
        }
        from.expectEnd();
      }),
    );
  });

  it('takes one byte up to 63, two up to 8191', () => {
    const sizeOf = (value: number) => {
      const out = new ByteWriter();
      out.number(value);
      return out.take().length - 1;
    };
    expect([0, 63, -63, 64, 8191, -8191, 8192, Number.MAX_SAFE_INTEGER, 0.5].map(sizeOf)).toEqual([1, 1, 1, 2, 2, 2, 3, 8, 9]);
  });
});

describe('a transaction as bytes', () => {
  it('is read as it was written, whatever it has', () => {
    fc.assert(fc.property(anyWrites, (writes) => void expect(unpackWrites(packWrites(writes))).toEqual(writes)));
  });

  it('has the same bytes each time', () => {
    fc.assert(fc.property(anyWrites, (writes) => void expect(packWrites(structuredClone(writes))).toEqual(packWrites(writes))));
  });

  it('rounds what every store rounds: durations to microseconds, instants to milliseconds', () => {
    const writes = noWrites(1, { events: { first: 1, cells: Float64Array.of(8, 1000.7, 1.23456, 1), extras: [] } });
    expect(unpackWrites(packWrites(writes)).pipelines[0]?.events?.cells).toEqual(Float64Array.of(8, 1000, 1.235, 1));
  });

  it('keeps texts apart whose halves of a character meet', () => {
    const facts: [string, string][] = [
      ['a', 'x\ud83d'],
      ['b', '\ude00y'],
    ];
    const read = unpackWrites(packWrites(noWrites(1, { facts }))).pipelines[0]?.facts;
    expect(read?.map(([name, json]) => [name, json?.length])).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
  });

  it('takes few bytes for an item that goes through a stage', () => {
    const packer = new ItemPacker();
    const texts = { id: null, value: null, metadata: null, error: null, route: null };
    for (let i = 0; i < 1000; i++) {
      const row = {
        seq: 500_000 + i,
        feed: 77,
        priority: 100,
        stage: 1,
        status: 0,
        place: 0,
        ord: 900_000 + i,
        task: 0,
        attempts: 0,
        deliveries: 0,
      };
      packer.add(i % 2 === 0 ? WRITE_NEW : WRITE_STATE, {
        ...row,
        ...texts,
        accepted: at,
        updated: at + i,
        due: null,
        last_event: 5e6 + 3 * i,
        fed: '{"n":1}',
      });
    }
    const size = packWrites(noWrites(1, { items: packer.take() })).length;
    // Half of the rows have texts of seven bytes.
    expect(size / 1000).toBeLessThan(23);
  });

  it('has a format that stands for the shape of a row', () => {
    // Another shape needs another FORMAT, so that a follower of an earlier version does not misread it.
    expect({ FORMAT, SHAPES }).toEqual({
      FORMAT: 1,
      SHAPES: [
        { numbers: 10, texts: 0 },
        { numbers: 11, texts: 4 },
        { numbers: 13, texts: 6 },
        { numbers: 10, texts: 5 },
      ],
    });
  });
});

describe('an entry as bytes', () => {
  it('is read as it was written, with the token of the one before', () => {
    fc.assert(
      fc.property(anyBody, anyToken, (body, prev) => {
        const packed = packEntry({ ...body, prev });
        expect(unpackEntry(packed)).toEqual({ ...body, prev, token: tokenOf(packed) });
        expect(packEntry({ ...body, prev })).toEqual(packed);
      }),
    );
  });

  it('has a token that depends on all entries before it', () => {
    const beat = { kind: 'beat' as const, epoch: 1, node: 'a', url: 'http://a', at };
    const tokenAfter = (prev: string): string => tokenOf(packEntry({ ...beat, prev }));
    expect(tokenAfter(tokenAfter(NO_TOKEN))).not.toBe(tokenAfter(tokenAfter(tokenAfter(NO_TOKEN))));
  });

  it('is no longer around a part of a batch than what is kept free for that', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const batch = { kind: 'batch' as const, epoch: most, number: most, part: most, parts: most, at: most, bytes: new Uint8Array(9) };
    expect(packEntry({ ...batch, prev: NO_TOKEN }).length).toBeLessThanOrEqual(9 + BATCH_OVERHEAD);
  });

  it('of a later format is told from a broken one', () => {
    const packed = packEntry({ kind: 'seed', at, prev: NO_TOKEN });
    packed[0] = FORMAT + 1;
    const error = faultOf(() => unpackEntry(packed));
    expect(error).toBeInstanceOf(UnknownFormat);
    expect(error.message).toBe('it was written by a newer version of Sluice (its format is 2, this one knows 1)');
  });
});

describe('bytes that nobody has written', () => {
  const isClear = (error: unknown): boolean => error instanceof EntryFault || error instanceof UnknownFormat;

  it('are refused as an entry, or are one, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (given) => {
        try {
          unpackEntry(given);
        } catch (error) {
          expect(isClear(error), String(error)).toBe(true);
        }
      }),
    );
  });

  it('are refused as a transaction, when any byte of one is changed or its end is missing', () => {
    fc.assert(
      fc.property(anyWrites, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean(), (writes, place, byte, isCut) => {
        const packed = packWrites(writes);
        const broken = isCut ? packed.subarray(0, place % packed.length) : Uint8Array.from(packed);
        if (!isCut) broken[place % packed.length] = byte;
        try {
          unpackWrites(broken);
        } catch (error) {
          expect(isClear(error), String(error)).toBe(true);
          return;
        }
        expect(isCut).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['nothing', [], 'it has no format'],
    ['zeros', [0, 0, 0], 'it has no format'],
    ['a header that ends', [1, 0, 5], 'it is truncated'],
    ['a kind that is none', [1, 9, ...new Array<number>(16).fill(0)], '9 is not a kind of entry'],
    ['no body', [1, 3, ...new Array<number>(16).fill(0)], 'it is truncated'],
  ])('as %s are told apart: %s', (_, given, message) => {
    expect(faultOf(() => unpackEntry(Uint8Array.from(given))).message).toBe(message);
  });

  it('that promise a billion rows take no memory', () => {
    const out = new ByteWriter();
    out.number(1e9);
    expect(() => unpackWrites(out.take())).toThrow('a length in it is wrong');
  });
});
