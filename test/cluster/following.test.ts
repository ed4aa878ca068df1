import { expect, it } from 'vitest';
import type { Entry } from '../../src/cluster/log/log.ts';
import { Bell } from '../../src/cluster/postgres/bell.ts';
import { Following } from '../../src/cluster/postgres/following.ts';
import type { Sessions } from '../../src/cluster/postgres/sessions.ts';

type Answer = { last: string; position: string; bytes: Uint8Array }[];

/** Whoever follows a table whose server answers so. `asked` resolves when it has been asked so often. */
function following(answer: (time: number) => Promise<Answer>, each: (entry: Entry) => Promise<void> = async () => undefined) {
  let asks = 0;
  const asking = Promise.withResolvers<void>();
  const sessions = {
    ask: () => {
      asks++;
      asking.resolve();
      return answer(asks);
    },
  } as unknown as Sessions;
  const followed = new Following({ sessions, table: 't', bell: new Bell(), pollMs: 60_000, patienceMs: 60_000, pageBytes: 1000 }, 0, each);
  const over = followed.run().catch(() => undefined);
  return { followed, over, asked: asking.promise, asks: () => asks };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const never = new Promise<never>(() => undefined);
const ENTRIES: Answer = ['1', '2'].map((position) => ({ last: '2', position, bytes: new Uint8Array(1) }));

it('whoever ceases to follow does not wait for a server that does not answer', async () => {
  const { followed, over, asked } = following(() => never);
  await asked;
  followed.stop();
  await over;
});

it('what the server answers after that, or how it fails, troubles nobody', async () => {
  const ends = [async () => ENTRIES, () => Promise.reject(new Error('the connection was cut'))];
  for (const end of ends) {
    const seen: number[] = [];
    const answered = Promise.withResolvers<Answer>();
    const { followed, over, asked } = following(
      () => answered.promise,
      async ({ position }) => void seen.push(position),
    );
    await asked;
    followed.stop();
    await over;
    answered.resolve(end());
    await turn();
    expect(seen).toEqual([]);
  }
});

it('nor is the server asked again when it has failed', async () => {
  const { followed, over, asked, asks } = following((time) => (time === 1 ? Promise.reject(new Error('the connection was cut')) : never));
  await asked;
  // It waits until it asks again.
  await turn();
  followed.stop();
  await over;
  expect(asks()).toBe(1);
});

it('what is being done with an entry is done when it is over, and nothing with the next one', async () => {
  const [begun, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const seen: number[] = [];
  const { followed, over } = following(
    async () => ENTRIES,
    async ({ position }) => {
      begun.resolve();
      await done.promise;
      seen.push(position);
    },
  );
  await begun.promise;
  followed.stop();
  done.resolve();
  await over;
  expect(seen).toEqual([1]);
});
