import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFailed, onTestFinished } from 'vitest';
import { builtInTasks } from '../../tasks/index.ts';
import { folderWith } from '../loader/folder.ts';
import { SEED } from '../seed.ts';
import { startService } from './app-harness.ts';
import { createCampaign } from './fuzz/campaign.ts';
import { injectClient } from './fuzz/clients.ts';

/*
 * Every operation of the OpenAPI document, asked for what is taken and for whatever comes to mind: no 5xx, every error a problem, every
 * reply as the document says; and whenever the asking pauses, what can be seen of the pipelines agrees with itself and with what was promised.
 *
 * The suite sends too few to have every operation taken; with 2000 or more, as CI sends in a step of its own, that is asserted, too.
 *
 *     SEED=123 FUZZ_RUNS=50000 npx vitest run test/http/fuzz.test.ts    looks further
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 250);
const ROUNDS = 3;

describe('any request', () => {
  it(`is answered as the OpenAPI document says, never by a 5xx, and leaves everything in order: ${RUNS} of seed ${SEED}`, {
    timeout: 120_000 + RUNS * 40,
  }, async () => {
    const service = await startService({ tasks: builtInTasks({ outputDir: folderWith(), httpAllowHosts: ['127.0.0.1:9'] }) });
    onTestFinished(() => service[Symbol.asyncDispose]());
    const { app, host } = service;
    host.limiters.define('api', { concurrency: 1 });
    host.limiters.define('by-source', { limit: 1000, perSeconds: 0.5, key: 'metadata.source', weight: '$exists(metadata.tokens) ? 2 : 1' });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const document = (await app.inject('/openapi.json')).json();
    const client = injectClient(app, (app.server.address() as AddressInfo).port);
    const campaign = createCampaign({ client, document, seed: SEED, isHostile: false, limiters: ['api', 'by-source'], concurrency: 8 });
    const { report, operations, underWay } = campaign;
    onTestFailed(() => void process.stderr.write(`under way: ${[...underWay].join('\n')}\n${report.faults.join('\n')}\n`));
    for (let i = 0; i < ROUNDS; i++) {
      await campaign.round(Math.ceil(RUNS / ROUNDS));
      if (i > 0) await campaign.end();
    }
    expect(report.faults, [`SEED=${SEED}`, ...report.faults.slice(0, 5)].join('\n')).toEqual([]);
    expect(report.feeds.accepted / report.feeds.asked).toBeGreaterThan(0.6);
    const isTaken = (name: string): boolean =>
      [...(report.statuses.get(name)?.keys() ?? [])].some((status) => status >= 200 && status < 300);
    // The end of the service is not asked for, and streams of events have none of their own.
    const asked = operations.map(({ name }) => name).filter((name) => name !== 'POST /shutdown' && !name.endsWith('/events'));
    const never = asked.filter((name) => !isTaken(name));
    if (RUNS >= 2000) expect(never).toEqual([]);
  });
});
