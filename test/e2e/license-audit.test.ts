import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { ErrorSummary, PipelineStats } from '../../src/schemas/stats.ts';
import { folderWith } from '../loader/folder.ts';
import { startServer } from './server.ts';
import { Upload } from './upload.ts';

interface Manifest {
  id: string;
  value: unknown;
}

interface Result {
  id: string;
  value: unknown;
  sequenceId: number;
  error: { type: string; message: string; stage: string; attempts: number } | null;
  feedId: string;
}

const MUST_HAVE = ['name', 'version', 'license'];

/** The manifests of the packages that this project has installed, and two that are surely bad. */
async function manifestsOfThisProject(): Promise<string> {
  const printer = spawn(process.execPath, ['examples/license-audit/manifests.ts', 'node_modules'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(printer, 'close');
  const printed = await text(printer.stdout);
  expect((await ended)[0]).toBe(0);
  return `${printed}{"id":"marker/package.json","value":{"type":"module"}}\n{"id":"broken/package.json","value":"{ oops"}\n`;
}

const sequenceOf = (id: string): number => Number(id.split('-').at(-1));

describe('the license audit of this project', () => {
  it('is fed by one request, watched by a stream, and every item ends once, in each account of it', { timeout: 60_000 }, async () => {
    const outputDir = folderWith();
    const server = await startServer({ OUTPUT_DIR: outputDir });
    const pipelinePath = '/pipelines/license-audit';
    const everything = `${pipelinePath}/events?types=status,task,result,pipeline,feed`;

    const ndjson = await manifestsOfThisProject();
    const manifests = ndjson
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Manifest);
    expect(manifests.length).toBeGreaterThan(100);

    const stream = await server.events(everything);
    const finals = (): string[] =>
      (stream.named('status') as { itemId: string; final: boolean }[]).filter(({ final }) => final).map(({ itemId }) => itemId);
    const upload = new Upload(`${server.url}${pipelinePath}/feed`);
    await upload.write(ndjson);
    const { status, headers, body: receipt } = await upload.end();

    // The answer counts what was accepted.
    expect(status).toBe(202);
    expect(receipt).toEqual({
      feedId: expect.any(String),
      accepted: manifests.length,
      duplicates: 0,
      firstSequence: 1,
      lastSequence: manifests.length,
    });
    expect(headers.location).toBe(`${pipelinePath}/feeds/${receipt.feedId}`);

    // The stream saw every item end exactly once; the ids of its events have no gap.
    await stream.until(() => stream.named('result').length === manifests.length);
    expect(finals().sort()).toEqual(manifests.map(({ id }) => id).sort());
    const ids = stream.events.map(({ id }) => String(id));
    const first = sequenceOf(ids[0] as string);
    expect(ids.map(sequenceOf)).toEqual(ids.map((_, i) => first + i));

    // Read again from the middle, it is exactly the rest.
    const middle = Math.floor(ids.length / 2);
    const resumed = await server.events(everything, { 'last-event-id': ids[middle] as string });
    await resumed.until(() => resumed.lastEventId === ids.at(-1));
    expect(resumed.events).toEqual(stream.events.slice(middle + 1));
    resumed.destroy();

    // The results are in feed order: good ones with their values, bad ones with their reasons.
    const { body: all } = await server.get(`${pipelinePath}/results?status=all&limit=1000`);
    const results = all.results as Result[];
    expect(results.map(({ id }) => id)).toEqual(manifests.map(({ id }) => id));
    expect(new Set(results.map(({ feedId }) => feedId))).toEqual(new Set([receipt.feedId]));
    expect(all.retired).toBe(0);
    const completed = results.filter(({ error }) => error === null);
    const failed = results.filter(({ error }) => error !== null);
    for (const { id, value } of completed) {
      const manifest = manifests.find((one) => one.id === id)?.value as Record<string, unknown>;
      expect(value).toEqual({
        name: manifest.name,
        version: manifest.version,
        license: expect.any(String),
        dependencies: Object.keys((manifest.dependencies as object | undefined) ?? {}).length,
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    }
    expect(completed.map(({ id }) => id)).toContain('zod/package.json');

    // The errors name each failure with its reasons, and agree with the results.
    const { body: errors } = (await server.get(`${pipelinePath}/errors`)) as { body: ErrorSummary };
    expect(errors.totalFailed).toBe(failed.length);
    expect(errors.errorsByStage).toEqual({ Validate: failed.length });
    expect(errors.failedItems.map(({ itemId }) => itemId).sort()).toEqual(failed.map(({ id }) => id).sort());
    const reasonOf = new Map(errors.failedItems.map(({ itemId, error, attempts }) => [itemId, { error, attempts }]));
    expect(reasonOf.get('broken/package.json')?.error).toContain('must be object');
    for (const { id, value } of manifests) {
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      const missing = isObject ? MUST_HAVE.filter((field) => (value as Record<string, unknown>)[field] === undefined) : [];
      const { error, attempts } = reasonOf.get(id) ?? {};
      for (const field of missing) expect(error).toContain(`must have required property '${field}'`);
      // A value that does not fit will not fit the next time.
      if (error !== undefined) expect(attempts).toBe(1);
    }

    // The file has one line for each completed item, and nothing else.
    const lines = readFileSync(join(outputDir, 'license-audit.ndjson'), 'utf8').trimEnd().split('\n');
    expect(lines.sort()).toEqual(completed.map(({ value }) => JSON.stringify(value)).sort());

    // The statistics agree with all of this.
    const { body: stats } = (await server.get(`${pipelinePath}/stats`)) as { body: PipelineStats };
    expect(stats).toMatchObject({
      itemsFed: manifests.length,
      itemsProcessed: completed.length,
      itemsFailed: failed.length,
      itemsCancelled: 0,
      itemsInFlight: 0,
      queueSizes: { Validate: 0, Extract: 0, Record: 0 },
      stageStats: {
        Validate: { completedItems: completed.length, failedItems: failed.length, retriedItems: 0 },
        Extract: { completedItems: completed.length, failedItems: 0 },
        Record: { completedItems: completed.length, failedItems: 0 },
      },
      asOf: ids.at(-1),
    });
    expect(stats.itemsFed).toBe(stats.itemsProcessed + stats.itemsFailed + stats.itemsCancelled + stats.itemsInFlight);

    const report = await server.stop();
    expect(report).toMatchObject({ mode: 'graceful', finished: 0, leftQueued: 0, aborted: 0, notKept: 0, notKeptIds: [], timedOut: false });
    expect(stream.ended).toBe(true);
    expect(stream.events.at(-1)).toEqual({ event: 'bye', data: '{}', id: undefined });
  });
});
