const BLOCK = 1024;

export interface Seen {
  /** False when the number has been there before. */
  add(number: number): boolean;
}

/** Numbers that have been, such as the sequence ids of results: a bit each, in blocks, since most of them are near to each other. */
export function createSeen(): Seen {
  const blocks = new Map<number, Uint8Array>();
  return {
    add(number) {
      const key = Math.floor(number / BLOCK);
      const at = number - key * BLOCK;
      const block = blocks.get(key) ?? new Uint8Array(BLOCK / 8);
      blocks.set(key, block);
      const bit = 1 << (at & 7);
      const byte = block[at >> 3] as number;
      block[at >> 3] = byte | bit;
      return (byte & bit) === 0;
    },
  };
}
