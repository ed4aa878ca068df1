import { expect } from 'vitest';
import type { PipelineResult, PipelineRuntime, RunRequest, RunStep, RunStream } from '../../../src/engine/index.ts';
import { ended, NEVER, named, reaches, type Suite } from '../world.ts';

const shown = (results: readonly PipelineResult[]) => results.map(({ id, value, feedId }) => [id, value, feedId]);

async function readAll(run: RunStream): Promise<{ results: PipelineResult[]; end: RunStep }> {
  const results: PipelineResult[] = [];
  for (;;) {
    const step = await run.read();
    if (step.kind !== 'results') return { results, end: step };
    results.push(...step.results);
  }
}

/** A run whose caller goes before its answer: a repeat has to make the answer again. */
async function abandoned(p: PipelineRuntime, items: unknown[], request: RunRequest, until: () => Promise<unknown>): Promise<void> {
  const caller = new AbortController();
  const ran = expect(p.run(items, { ...request, signal: caller.signal })).rejects.toMatchObject({ code: 'request-timeout' });
  await until();
  caller.abort();
  await ran;
}

/** Runs that name items which other requests have fed. */
export function known({ test, world }: Suite): void {
  const pass = [{ name: 'A', tasks: ['pass'] }];
  const gated = [{ name: 'A', workers: 4, tasks: ['gated'] }];
  const key = { key: 'k', request: 'r', body: 'b' };

  test('a known item is among the results, where the request names it, with the result that it has', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['double'] }]);
    await p.feed(
      [
        { id: 'a', value: 1 },
        { id: 'b', value: 2 },
      ],
      { feedId: 'f' },
    );
    await ended(p, 2);
    const { duplicates, results } = await p.run([{ id: 'b', value: 7 }, { id: 'c', value: 3 }, { id: 'a', value: 7 }, 4], { feedId: 'g' });
    expect(duplicates).toBe(2);
    expect(shown(results).slice(0, 3)).toEqual([
      ['b', 4, 'f'],
      ['c', 6, 'g'],
      ['a', 2, 'f'],
    ]);
    expect(results[3]).toMatchObject({ value: 8, feedId: 'g' });
    expect((await p.stats()).itemsFed).toBe(4);
    expect(await p.feedView('g')).toMatchObject({ total: 2, duplicates: 2, done: true });
  });

  test('one that has not ended is waited for, in a queue, with a worker, or between two attempts', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 1, tasks: ['gated'] }]);
    await p.feed(named('a', 'b'), { feedId: 'f' });
    await held(1);
    const ran = p.run(named('b', 'a', 'b'), { feedId: 'g' });
    gate.open('a');
    await held(1);
    gate.open('b');
    const { duplicates, results } = await ran;
    expect(duplicates).toBe(3);
    expect(shown(results)).toEqual([
      ['b', 'b', 'f'],
      ['a', 'a', 'f'],
    ]);
  });

  test('failed and cancelled ones are there with their error, and the summary counts the failed ones', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([
      { name: 'A', workers: 2, tasks: ['gated'] },
      { name: 'B', tasks: ['refused'] },
    ]);
    await p.feed(named('gone'), {});
    await held(1);
    await p.cancelItem('gone');
    await p.feed(named('bad'), { targetStage: 'B' });
    await ended(p, 2);
    const { results, errorSummary } = await p.run(named('gone', 'bad'), {});
    expect(results.map(({ id, error }) => [id, error?.type])).toEqual([
      ['gone', 'Cancelled'],
      ['bad', 'PermanentError'],
    ]);
    expect(errorSummary).toMatchObject({ totalFailed: 1, failedItems: [{ itemId: 'bad' }] });
  });

  test('an id that the request names twice gives one result', async () => {
    const p = await (await world()).pipeline(pass);
    await p.run(named('a'), {});
    const { duplicates, results } = await p.run(named('n', 'a', 'n', 'a'), {});
    expect(duplicates).toBe(3);
    expect(results.map(({ id }) => id)).toEqual(['n', 'a']);
  });

  test('rerun gives the new result of one that had ended, and waits for one that had not', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'A', workers: 4, tasks: ['gated'] },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.feed([{ id: 'old', value: 1 }], { targetStage: 'B' });
    await ended(p, 1);
    await p.feed(named('busy'), { feedId: 'f' });
    await held(1);
    const ran = p.run(
      [
        { id: 'busy', value: 5 },
        { id: 'old', value: 2 },
      ],
      { feedId: 'g', onDuplicate: 'rerun' },
    );
    await held(2);
    gate.open('old');
    gate.open('busy');
    const { duplicates, results } = await ran;
    expect([duplicates, shown(results)]).toEqual([
      1,
      [
        ['busy', 'busy', 'f'],
        ['old', 2, 'g'],
      ],
    ]);
    await expect(p.run(named('old', 'new'), { onDuplicate: 'reject' })).rejects.toMatchObject({ code: 'duplicate-items' });
  });

  test('one that retention took is no longer known: it runs again', async () => {
    const { pipeline, runs } = await world();
    const p = await pipeline(pass, { retention: { maxItems: 1 } });
    await p.run(named('a'), {});
    await p.run(named('b'), {});
    const { duplicates, results } = await p.run(named('a'), {});
    expect([duplicates, results.map(({ value }) => value)]).toEqual([0, ['a']]);
    expect(runs.filter((run) => run === 'pass:a')).toHaveLength(2);
  });

  test('when the time is up first, the answer is the feed', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline(gated);
    await p.feed(named('a'), {});
    await held(1);
    const { pending, results } = await p.run(named('a'), { timeoutSeconds: 0, feedId: 'g' });
    expect(results).toEqual([]);
    expect(pending).toMatchObject({ feedId: 'g', total: 0, duplicates: 1 });
  });

  test('a shutdown ends the waiting for a known one, too', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline(gated);
    await p.feed(named('a'), {});
    await held(1);
    const refused = expect(p.run(named('a'), {})).rejects.toMatchObject({ code: 'invalid-state' });
    await p.shutdown('force', 10);
    await refused;
  });

  test('a repeat under a key gives the same results, also when the first caller had gone', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    const first = p.run(named('a'), { feedId: 'f' });
    await held(1);
    gate.open('a');
    await first;
    const items = [...named('n', 'a', 'n'), { id: 'm', value: 'm' }];
    await abandoned(p, items, { feedId: 'g', idempotency: key }, () => held(2));
    const again = p.run(items, { feedId: 'g', idempotency: key });
    gate.open('n');
    gate.open('m');
    const expected = [
      ['n', 'n', 'g'],
      ['a', 'a', 'f'],
      ['m', 'm', 'g'],
    ];
    const { duplicates, results, replayed } = await again;
    expect([duplicates, shown(results), replayed]).toEqual([2, expected, true]);
    const kept = await p.run(items, { feedId: 'g', idempotency: key });
    expect([kept.duplicates, shown(kept.results)]).toEqual([2, expected]);
  });

  test('a repeat waits for a known one, and says so when its result is no longer kept', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated, { retention: { maxItems: 1 } });
    await p.feed(named('a'), {});
    await held(1);
    await abandoned(p, named('a'), { idempotency: key }, async () => undefined);
    const again = p.run(named('a'), { idempotency: key, timeoutSeconds: NEVER });
    expect((await p.run(named('a'), { timeoutSeconds: 0 })).pending).toBeDefined();
    gate.open('a');
    expect((await again).results).toMatchObject([{ id: 'a', value: 'a' }]);
    const other = { key: 'l', request: 'r', body: 'b' };
    await p.feed(named('c'), {});
    await held(1);
    await abandoned(p, named('c'), { idempotency: other }, async () => undefined);
    gate.open('c');
    await reaches(p, 'c', 'completed');
    await p.feed(named('d'), {});
    await held(1);
    gate.open('d');
    await reaches(p, 'd', 'completed');
    await expect(p.run(named('c'), { idempotency: other })).rejects.toMatchObject({ code: 'no-longer-kept' });
  });

  test('a stream gives those that have ended and those that end, each once, and the number', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'A', workers: 4, tasks: ['gated'] },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.feed(named('done'), { feedId: 'f', targetStage: 'B' });
    await ended(p, 1);
    await p.feed(named('busy'), { feedId: 'f2' });
    await held(1);
    const run = await p.openRun({ feedId: 'g', idempotency: { key: 'k', request: 'r' } });
    await run.push(named('done', 'busy', 'n', 'done'));
    await run.push(named('busy', 'n'));
    await run.end('all');
    const reading = readAll(run);
    await held(2);
    gate.open('n');
    gate.open('busy');
    const { results, end } = await reading;
    expect(new Set(results.map(({ id, feedId }) => `${id} of ${feedId}`))).toEqual(new Set(['done of f', 'busy of f2', 'n of g']));
    expect(results).toHaveLength(3);
    expect(end).toMatchObject({ kind: 'done', duplicates: 5 });
    const replay = await p.openRun({ feedId: 'g', idempotency: { key: 'k', request: 'r' } });
    await replay.push(named('done', 'busy', 'n', 'done', 'busy', 'n'));
    await replay.end('all');
    expect(await readAll(replay)).toMatchObject({ results: { length: 3 }, end: { kind: 'done', duplicates: 5 } });
  });

  test('a stream that is gone on with gives the known ones of both parts', async () => {
    const p = await (await world()).pipeline(pass);
    await p.run(named('a', 'b'), { feedId: 'f' });
    const request = { feedId: 'g', idempotency: { key: 'k', request: 'r' } };
    const first = await p.openRun(request);
    await first.push(named('a', 'n'));
    await first.abort();
    const again = await p.openRun(request);
    await again.push(named('a', 'n', 'b'));
    await again.end('all');
    const { results, end } = await readAll(again);
    expect(new Set(results.map(({ id }) => id))).toEqual(new Set(['a', 'n', 'b']));
    expect(end).toMatchObject({ kind: 'done', duplicates: 2 });
  });
}
