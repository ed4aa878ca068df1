import { describe, expect, it } from 'vitest';
import { createSluice, dataOf, type FeedProgress, type ItemSource, jsonText, ndjson, SluiceProblem } from '../../src/client/index.ts';
import { collect, fedNumbers, numbered, numbers, PATIENCE, world } from './world.ts';

const UPLOADS = ['stream', 'batches'] as const;

describe.each(UPLOADS)('feed, as %s', (upload) => {
  it('sends a source to its end', async () => {
    const { sluice } = await world();
    const outcome = await sluice.feed('p', numbered(3000), { upload });
    expect(outcome).toMatchObject({ accepted: 3000, duplicates: 0 });
    expect(await sluice.wait('p', outcome.feedId)).toMatchObject({ done: true, total: 3000, uploadComplete: true, sending: false });
    expect(await fedNumbers(sluice)).toEqual(numbers(3000).map(({ n }) => n));
  });

  const sources: [string, (count: number) => ItemSource][] = [
    ['a generator', numbered],
    ['an array', numbers],
    ['a function', (count) => () => numbered(count)],
    ['a stream', (count) => ReadableStream.from(numbered(count))],
  ];
  it.each(sources)('accepts each item of %s once, though the connection breaks again and again', async (_, sourceOf) => {
    // Breaks in the head, in the body, and in the answer, after which the client cannot know that all is done.
    const { sluice, proxy } = await world({ cuts: [{ up: 40 }, { up: 3000 }, { up: 9000 }, { down: 20 }] });
    const interruptions: string[] = [];
    const outcome = await sluice.feed('p', sourceOf(4000), {
      upload,
      patience: PATIENCE,
      onProgress: ({ interruption }) => void (interruption !== null && interruptions.push(interruption.name)),
    });
    expect(outcome).toMatchObject({ accepted: 4000, duplicates: 0 });
    expect(proxy.cuts).toEqual([]);
    expect(interruptions.length).toBeGreaterThanOrEqual(3);
    expect(await sluice.wait('p', outcome.feedId)).toMatchObject({ total: 4000, uploadComplete: true });
    expect(await fedNumbers(sluice)).toEqual(numbers(4000).map(({ n }) => n));
  });

  it('goes on with an upload of another client, from where that broke off', async () => {
    const { sluice } = await world();
    const stop = new AbortController();
    const { asOf } = await dataOf(sluice.api.GET('/pipelines/{id}/stats', { params: { path: { id: 'p' } } }));
    async function* broken() {
      yield* numbered(1500);
      let ended = 0;
      for await (const event of sluice.follow('p', { after: asOf, status: ['completed'] })) {
        if (event.event === 'status' && ++ended === 1500) break;
      }
      stop.abort(new Error('enough'));
    }
    const options = { feedId: 'f', upload, patience: PATIENCE };
    await expect(sluice.feed('p', broken(), { ...options, signal: stop.signal })).rejects.toThrow('enough');
    await expect(sluice.feed('p', numbers(2000), options)).rejects.toMatchObject({ code: 'feed-exists', status: 409 });
    expect(await sluice.feed('p', numbers(2000), { ...options, mode: 'resume' })).toEqual({ feedId: 'f', accepted: 2000, duplicates: 0 });
    await sluice.wait('p', 'f');
    expect(await fedNumbers(sluice)).toEqual(numbers(2000).map(({ n }) => n));
    await expect(sluice.feed('p', numbers(10), { ...options, mode: 'resume' })).rejects.toMatchObject({ name: 'SourceEnded' });
  });

  it('adds to a feed that is there', async () => {
    const { sluice } = await world();
    const options = { feedId: 'f', upload };
    await sluice.feed('p', [{ id: 'a' }, { id: 'b' }], options);
    expect(await sluice.feed('p', [{ id: 'b' }, { id: 'c' }, 7], { ...options, mode: 'append' })).toEqual({
      feedId: 'f',
      accepted: 2,
      duplicates: 1,
    });
    expect(await sluice.wait('p', 'f')).toMatchObject({ total: 4, uploadComplete: true });
  });

  it('goes on with what was to be added, and counts nothing for it that was there before', async () => {
    const { sluice } = await world();
    const options = { feedId: 'f', upload };
    await sluice.feed('p', numbers(2), options);
    const told: FeedProgress[] = [];
    await sluice.feed('p', numbers(1), { ...options, mode: 'append', onProgress: (progress) => void told.push(progress) });
    expect(told[0]).toMatchObject({ sent: 0, before: { total: 2, duplicates: 0 } });
    const resuming = { ...options, mode: 'resume' as const };
    const { before } = told.at(-1) as FeedProgress;
    expect(await sluice.feed('p', numbers(4), { ...resuming, resumeAfter: before })).toEqual({ feedId: 'f', accepted: 4, duplicates: 0 });
    expect(await sluice.wait('p', 'f')).toMatchObject({ total: 6, done: true });
    expect((await fedNumbers(sluice)).sort()).toEqual([0, 0, 1, 1, 2, 3]);
    const more = { total: 7, duplicates: 0 };
    await expect(sluice.feed('p', numbers(4), { ...resuming, resumeAfter: more })).rejects.toThrow('it is another one');
    await expect(sluice.feed('p', numbers(4), { ...options, resumeAfter: before })).rejects.toThrow('"resume"');
  });

  it('sends items of any kind, and texts of JSON with all their digits', async () => {
    const { sluice } = await world();
    const file = new Blob(['{"id": 1050118621198921728}\r\n\n"last"']);
    await sluice.feed('p', ['text', 7, null, true, [1, [2]], { id: 'x' }, jsonText('{"id": 9007199254740993,\n"value": 1}')], { upload });
    await sluice.feed('p', () => ndjson(file.stream()), { upload });
    const results = await collect(sluice.results('p'));
    expect(results.map(({ value }) => value)).toEqual([
      ...['text', 7, null, true, [1, [2]], { id: 'x' }, 1],
      ...[{ id: '1050118621198921728' }, 'last'],
    ]);
    expect(results[6]?.id).toBe('9007199254740993');
  });

  it('is refused at once for what will not pass', async () => {
    const { sluice, proxy } = await world();
    await expect(sluice.feed('none', [1], { upload })).rejects.toMatchObject({
      name: 'SluiceProblem',
      code: 'pipeline-not-found',
      status: 404,
    });
    const bad = await sluice.feed('p', [1, jsonText('{'), 2], { upload }).catch((error: unknown) => error);
    expect(bad).toBeInstanceOf(SluiceProblem);
    expect(bad).toMatchObject({ code: 'malformed-line', fix: expect.stringMatching(/./) });
    await expect(sluice.feed('p', [undefined], { upload })).rejects.toThrow('an item of type undefined cannot be sent as JSON');
    expect(proxy.accepted).toBeLessThan(8);
  });

  it('fails with the fault of the source, after what came before it', async () => {
    const { sluice } = await world();
    async function* faulty() {
      yield* numbered(5);
      throw new TypeError('the source is broken');
    }
    await expect(sluice.feed('p', faulty(), { feedId: 'f', upload })).rejects.toThrow('the source is broken');
  });

  it('takes an empty source for an empty feed', async () => {
    const { sluice } = await world();
    expect(await sluice.feed('p', [], { feedId: 'f', upload })).toEqual({ feedId: 'f', accepted: 0, duplicates: 0 });
    expect(await sluice.wait('p', 'f')).toMatchObject({ done: true, total: 0, uploadComplete: true });
  });

  it('gives up when the service stays away for too long', async () => {
    const sluice = createSluice({ url: 'http://127.0.0.1:1' });
    const feeding = sluice.feed('p', [1], { upload, patience: { ...PATIENCE, giveUpSeconds: 0.05 } });
    await expect(feeding).rejects.toMatchObject({ name: 'SluiceUnreachable' });
  });
});
