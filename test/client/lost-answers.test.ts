import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSluice, type FeedProgress } from '../../src/client/index.ts';
import { SEED as seed } from '../seed.ts';
import { collect, numbers, PATIENCE, world } from './world.ts';

/** Some lines of this are a batch, and more than one chunk of a stream. */
const LARGE = 'x'.repeat(60_000);

type Loss = 'request' | 'answer' | null;

/** A fetch whose requests that send items are lost on their way, or answered in vain. */
function losing(losses: Loss[]): typeof fetch {
  return async (input, init) => {
    const loss = init?.method === 'POST' ? (losses.shift() ?? null) : null;
    if (loss === 'request') throw new TypeError('fetch failed');
    const response = await fetch(input, init);
    if (loss === null) return response;
    await response.text();
    throw new TypeError('fetch failed');
  };
}

it.each(['batches', 'stream'] as const)(
  'an upload as %s accepts each item once, whatever ids occur again and whichever answers are lost',
  async (upload) => {
    const { url } = await world();
    const item = fc.oneof(
      fc.constantFrom('a', 'b', 'c').map((id) => ({ id })),
      fc.nat(9).map((n) => ({ n })),
    );
    const losses = fc.array(fc.constantFrom<Loss>('request', 'answer', null), { maxLength: 5 });
    const kind = fc.constantFrom('array', 'once');
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 16 }), losses, kind, async (drawn, lost, source) => {
        const prefix = `r${run++}-`;
        const items = drawn.map((one) => ('id' in one ? { id: prefix + one.id, pad: LARGE } : { ...one, pad: LARGE }));
        const sluice = createSluice({ url, fetch: losing([...lost]) });
        const outcome = await sluice.feed('p', source === 'array' ? items : items.values(), { upload, patience: PATIENCE });
        const first = items.filter((one, at) => !('id' in one) || items.findIndex((other) => 'id' in other && other.id === one.id) === at);
        expect(outcome).toMatchObject({ accepted: first.length, duplicates: items.length - first.length });
        const results = await collect(sluice.results('p', { feedId: outcome.feedId, follow: true }));
        const told = results.map(({ id, value }) => ((value as { n?: number }).n ?? id) as unknown);
        expect(told).toEqual(first.map((one) => ('id' in one ? one.id : one.n)));
      }),
      { seed, numRuns: 12 },
    );
  },
);

it('an upload in batches of which an id occurs again accepts nothing twice when one answer is lost', async () => {
  const { url } = await world();
  const interruptions: FeedProgress[] = [];
  const ids = numbers(5000).map(({ n }) => ({ id: `i${n}` }));
  const sluice = createSluice({ url, fetch: losing([null, 'answer']) });
  const outcome = await sluice.feed('p', [...ids, { id: 'i0' }, ...numbers(4000).map(({ n }) => `text ${n}`)], {
    upload: 'batches',
    patience: PATIENCE,
    onProgress: (progress) => void (progress.interruption !== null && interruptions.push(progress)),
  });
  expect(outcome).toMatchObject({ accepted: 9000, duplicates: 1 });
  expect(interruptions).toHaveLength(1);
});

it('an upload that appends goes on rightly in a service that has forgotten the feed', async () => {
  const { url } = await world();
  const direct = createSluice({ url });
  const { feedId } = await direct.feed('p', numbers(3));
  let posts = 0;
  // From the first request on the feed is another one, which has nothing of what was in it.
  const forgetful: typeof fetch = async (input, init) => {
    const to = String(input).replaceAll(feedId, posts === 0 ? feedId : 'anew');
    const isLost = init?.method === 'POST' && ++posts < 3;
    if (isLost && posts === 1) throw new TypeError('fetch failed');
    const response = await fetch(to, init);
    if (isLost) throw new TypeError('fetch failed');
    return response;
  };
  const sluice = createSluice({ url, fetch: forgetful });
  const options = { feedId, mode: 'append', upload: 'batches', patience: PATIENCE } as const;
  expect(await sluice.feed('p', ['x', 'y'], options)).toMatchObject({ accepted: 2, duplicates: 0 });
  expect(await direct.wait('p', 'anew')).toMatchObject({ total: 2 });
});
