/**
 * Room `entry`: the entries of the log, as bytes.
 *
 *     ┌────────┬──────┬──────────────┬──────┐     own {node, url, at, nonce}    begins an ownership, and its position is the epoch
 *     │ format │ kind │ prev (16 B)  │ body │     beat {epoch, node, url, at}   keeps it
 *     └────────┴──────┴──────────────┴──────┘     batch {epoch, …, at, bytes}   a transaction, or a part of a long one
 *                                                 leave {epoch, at}             lets others begin one at once
 *                                                 seed {at}                     the first of all: what was before is in a snapshot
 *
 * `prev` is the token of the entry before: a hash of its bytes, and so of everything before it. Whoever has applied an entry that the log has lost sees it by that. No two
 * claims have the same bytes, whoever makes them: `nonce` is drawn anew for each.
 *
 * Holds: The same entry has the same bytes, so that it can be tried again. What is unpacked is what was packed.
 * Refuses: bytes of a later format, and bytes that are not whole. It neither reads nor writes anything.
 */
import { TOKEN_BYTES, tokenOf } from '../log/token.ts';
import { ByteReader, ByteWriter, EntryFault } from './bytes.ts';

export { EntryFault };

/** The format that this version of Sluice writes, and the last one that it reads; it grows with each change of the bytes that a release has written. */
export const FORMAT = 1;

/** An entry is of a later format: this version has to be replaced before it can go on. */
export class UnknownFormat extends Error {
  override name = 'UnknownFormat';
  constructor(format: number) {
    super(`it was written by a newer version of Sluice (its format is ${format}, this one knows ${FORMAT})`);
  }
}

export type EntryBody =
  | { readonly kind: 'own'; readonly node: string; readonly url: string; readonly at: number; readonly nonce: number }
  | { readonly kind: 'beat'; readonly epoch: number; readonly node: string; readonly url: string; readonly at: number }
  /** `part` of `parts`, from 1; the bytes of all parts are one transaction, see writes.ts. They stand one after the other, with no other entry between them. */
  | {
      readonly kind: 'batch';
      readonly epoch: number;
      readonly number: number;
      readonly part: number;
      readonly parts: number;
      readonly at: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'leave'; readonly epoch: number; readonly at: number }
  | { readonly kind: 'seed'; readonly at: number };

export type Decoded = EntryBody & {
  /** The token of the entry before. */
  readonly prev: string;
  /** The token of this one. */
  readonly token: string;
};

const HEADER_BYTES = 2 + TOKEN_BYTES;
const KINDS = ['own', 'beat', 'batch', 'leave', 'seed'] as const;
/** More than the numbers of a batch and its header take. */
export const BATCH_OVERHEAD = 96;

/** The same bytes for the same entry. */
export function packEntry(entry: EntryBody & { readonly prev: string }): Uint8Array {
  const body = bodyOf(entry);
  const block = entry.kind === 'batch' ? entry.bytes : new Uint8Array(0);
  const bytes = new Uint8Array(HEADER_BYTES + body.length + block.length);
  bytes[0] = FORMAT;
  bytes[1] = KINDS.indexOf(entry.kind);
  bytes.set(Buffer.from(entry.prev, 'hex'), 2);
  bytes.set(body, HEADER_BYTES);
  bytes.set(block, HEADER_BYTES + body.length);
  return bytes;
}

/** Throws {@link EntryFault}, and {@link UnknownFormat}. */
export function unpackEntry(bytes: Uint8Array): Decoded {
  const format = bytes[0];
  if (format === undefined || format === 0) throw new EntryFault('it has no format');
  if (format > FORMAT) throw new UnknownFormat(format);
  if (bytes.length < HEADER_BYTES) throw new EntryFault('it is truncated');
  const kind = KINDS[bytes[1] as number];
  if (kind === undefined) throw new EntryFault(`${bytes[1]} is not a kind of entry`);
  const prev = Buffer.from(bytes.subarray(2, HEADER_BYTES)).toString('hex');
  return { ...read(kind, bytes.subarray(HEADER_BYTES)), prev, token: tokenOf(bytes) };
}

function bodyOf(entry: EntryBody): Uint8Array {
  const out = new ByteWriter();
  out.number(entry.at);
  if ('epoch' in entry) out.number(entry.epoch);
  if ('node' in entry) {
    out.text(entry.node);
    out.text(entry.url);
  }
  if (entry.kind === 'own') out.number(entry.nonce);
  if (entry.kind !== 'batch') return out.take();
  out.number(entry.number);
  out.number(entry.part);
  out.number(entry.parts);
  const numbers = out.take();
  return Uint8Array.of(numbers.length, ...numbers);
}

function read(kind: (typeof KINDS)[number], body: Uint8Array): EntryBody {
  if (kind === 'batch') {
    const length = body[0] ?? 0;
    if (1 + length > body.length) throw new EntryFault('it is truncated');
    const from = new ByteReader(body.subarray(1, 1 + length));
    const [at, epoch, number, part, parts] = [from.number(), from.number(), from.number(), from.number(), from.number()];
    from.expectEnd();
    if (!(part >= 1 && part <= parts)) throw new EntryFault(`it is part ${part} of ${parts}`);
    return { kind, epoch, number, part, parts, at, bytes: body.subarray(1 + length) };
  }
  const from = new ByteReader(body);
  const at = from.number();
  const entry: EntryBody =
    kind === 'seed'
      ? { kind, at }
      : kind === 'own'
        ? { kind, node: from.text(), url: from.text(), at, nonce: from.number() }
        : kind === 'leave'
          ? { kind, epoch: from.number(), at }
          : { kind, epoch: from.number(), node: from.text(), url: from.text(), at };
  from.expectEnd();
  return entry;
}
