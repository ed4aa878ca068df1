import { spawn } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { about, BATCH, FAILING_BATCH, reviews } from '../../examples/openai-batch/reviews.ts';

interface Seen {
  requests: number;
  answered: number;
  busy: number;
  mostAtOnce: number;
  promptTokens: number;
  completionTokens: number;
}

interface Summary {
  items: number;
  results: number;
  failures: number;
  answers: number;
  promptTokens: number;
  completionTokens: number;
  costUsd: number;
  seconds: number;
  batchByBatchSeconds: number;
  ofItsTime: number;
  sameResults: boolean;
  standIn: { pipeline: Seen; batches: Seen };
}

let summary: Summary;
let results: { id: string; value: { sentiment: string; topics: string[] } }[];
let failures: { id: string; error: { type: string; message: string; status?: number; attempts: number } }[];

beforeAll(async () => {
  const OUTPUT = await mkdtemp(join(tmpdir(), 'sluice-openai-batch-'));
  const child = spawn(process.execPath, ['examples/openai-batch/index.ts'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OUTPUT, OPENAI_BASE_URL: undefined },
  });
  const [out, log, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once('close', resolve)),
  ]);
  expect(code, log).toBe(0);
  summary = JSON.parse(out);
  const rowsIn = async (name: string) =>
    (await readFile(join(OUTPUT, name), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  [results, failures] = await Promise.all([rowsIn('results.ndjson'), rowsIn('failures.ndjson')]);
}, 90_000);

const ids = reviews().map(({ id }) => id);
const failing = ids.slice(FAILING_BATCH * BATCH, (FAILING_BATCH + 1) * BATCH);
const HOPELESS = ids[28] as string;

describe('the example openai-batch', () => {
  it('takes at most 0.4 of the time of the same work batch by batch', () => {
    expect(summary.sameResults).toBe(true);
    expect(summary.standIn.batches).toMatchObject({ answered: summary.standIn.pipeline.answered, busy: summary.standIn.pipeline.busy });
    expect(summary.seconds / summary.batchByBatchSeconds).toBeLessThanOrEqual(0.4);
    expect(summary.ofItsTime).toBeCloseTo(summary.seconds / summary.batchByBatchSeconds, 2);
  });

  it('has a valid result for each review, in the order of the input', () => {
    const expected = ids.flatMap((id, index) => {
      const { thing, opinion } = about(index);
      return [HOPELESS, ...failing].includes(id) ? [] : [{ id, value: { sentiment: opinion.sentiment, topics: [thing] } }];
    });
    expect(results).toEqual(expected);
  });

  it('has the failures apart: a batch that is too long for the model, and what never validates', () => {
    expect(failures.map(({ id }) => id)).toEqual([HOPELESS, ...failing]);
    const [hopeless, ...tooLong] = failures;
    expect(hopeless?.error).toMatchObject({ type: 'InvalidAnswer', attempts: 6 });
    expect(hopeless?.error.message).toContain("must have required property 'topics'");
    for (const { error } of tooLong) {
      expect(error).toMatchObject({
        type: 'HttpStatus',
        status: 400,
        attempts: 1,
        message: expect.stringContaining('context_length_exceeded'),
      });
    }
  });

  it('asks again after each 429, and for each answer that does not validate', () => {
    const { requests, answered, busy, mostAtOnce } = summary.standIn.pipeline;
    expect(busy).toBe(8);
    // One in eight is answered well only when it is told what was wrong; the hopeless one is asked six times.
    const askedAgain = ids.filter((id, index) => index % 8 === 3 && !failing.includes(id)).length;
    expect(answered).toBe(results.length + askedAgain + 6);
    expect(requests).toBeGreaterThanOrEqual(answered + busy + failing.length);
    expect(mostAtOnce).toBeLessThanOrEqual(12);
  });

  it('sums what all answers cost, those that were refused too', () => {
    const { promptTokens, completionTokens, answered } = summary.standIn.pipeline;
    expect(summary).toMatchObject({ answers: answered, promptTokens, completionTokens });
    expect(summary.costUsd).toBeCloseTo((promptTokens * 0.4 + completionTokens * 1.6) / 1e6, 6);
    expect(summary).toMatchObject({ items: ids.length, results: results.length, failures: failures.length });
  });
});
