import { join } from 'node:path';
import { describe, expect, it, onTestFailed } from 'vitest';
import { Random } from '../engine/simulation/random.ts';
import { type CampaignReport, createCampaign, type Sent } from '../http/fuzz/campaign.ts';
import { socketClient } from '../http/fuzz/clients.ts';
import type { ProbeReading } from '../http/fuzz/probe.ts';
import { PROBE, readProbe } from '../http/fuzz/probe-client.ts';
import { folderWith } from '../loader/folder.ts';
import { machinePace } from '../machine-pace.ts';
import { SEED } from '../seed.ts';
import { startServer } from './server.ts';

/*
 * The request fuzz against the service as it runs: over sockets, with values and definitions made to hold its event loop or to eat its
 * memory. No 5xx, no turn of the loop over 250 ms, memory bounded, everything in order, after a restart too.
 *
 *     npm run fuzz                                                               20 000 requests
 *     SEED=123 FUZZ_RUNS=2000 npx vitest run test/e2e/fuzz.test.ts          others
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 60);
/** All pipelines are removed after so many requests: what is in use then is what the service keeps of them. */
const ROUND = 500;
/** So many before the restart. */
const UNDER_WAY = 100;
const MINUTE = 60_000;

/** Processor time of one turn of the event loop, on the machine of machine-pace.ts. */
const TURN_MS_MAX = 250;
const MIB = 2 ** 20;
/** A container of a gigabyte is to hold it. */
const PEAK_BYTES_MAX = 900 * MIB;
/** What code and caches may grow by from the first round to the last, on top of a third. */
const GROWTH_BYTES_MAX = 32 * MIB;

const LIMITS = `
limits:
  api: { concurrency: 2 }
  by-source: { limit: 1000, perSeconds: 0.5, key: metadata.source, weight: '$exists(metadata.tokens) ? metadata.tokens : 1' }
  by-value: { concurrency: 3, key: '$string($sort([value.n]))' }
pipelines: []
`;

describe('a service that is asked for anything', () => {
  it(`answers, never by a 5xx, holds its loop for no longer than ${TURN_MS_MAX} ms and its memory within bounds: ${RUNS} requests of seed ${SEED}`, {
    timeout: 5 * MINUTE + RUNS * 60,
  }, async () => {
    const cwd = folderWith({ 'pipelines.yaml': LIMITS });
    const probe = join(cwd, 'probe');
    const env = {
      STORE_URL: 'file:./data/sluice.db',
      PIPELINES: 'pipelines.yaml',
      HTTP_ALLOW_HOSTS: '127.0.0.1:9',
      // Its time and memory are looked at, not its coverage.
      NODE_V8_COVERAGE: '',
      NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import ${PROBE}`,
    };
    let server = await startServer({ ...env, FUZZ_PROBE: probe }, { cwd });
    const client = socketClient(() => server.port, new Random(SEED));
    const { body: document } = await server.get('/openapi.json');
    // Starting is not answering, and who asks for the document during a start has all of it made at once.
    await readProbe(probe);
    const limiters = ['api', 'by-source', 'by-value'];
    const campaign = createCampaign({ client, document, seed: SEED, isHostile: true, limiters, concurrency: 8 });
    const { report, sent, underWay } = campaign;
    onTestFailed(() => void process.stderr.write(`under way: ${[...underWay].join('\n')}\n${report.faults.join('\n')}\n`));
    const readings: ProbeReading[] = [];
    for (let left = RUNS; left > 0; left -= ROUND) {
      await campaign.round(Math.min(ROUND, left));
      await campaign.end();
      const reading = await readProbe(probe);
      readings.push(reading);
      report.faults.push(...longTurns(reading, sent));
    }
    // What is under way goes on after a restart.
    await campaign.round(UNDER_WAY);
    await server.stop();
    server = await startServer(env, { cwd });
    await campaign.lookAgain();
    await campaign.end();
    await server.stop();
    tellOf(report, readings);
    expect(report.faults, [`SEED=${SEED}`, ...report.faults.slice(0, 5)].join('\n')).toEqual([]);
    expect(report.feeds.accepted / report.feeds.asked).toBeGreaterThan(0.6);
    expect(Math.max(...readings.map(({ peakRssBytes }) => peakRssBytes))).toBeLessThan(PEAK_BYTES_MAX);
    const [first, last] = [readings[0] as ProbeReading, readings.at(-1) as ProbeReading];
    expect(last.heapBytes).toBeLessThan((first.heapBytes * 4) / 3 + GROWTH_BYTES_MAX);
  });
});

function longTurns({ turns }: ProbeReading, sent: readonly Sent[]): string[] {
  if (turns.every(({ cpuMs }) => cpuMs <= TURN_MS_MAX)) return [];
  const longest = TURN_MS_MAX * machinePace();
  return turns
    .filter(({ cpuMs }) => cpuMs > longest)
    .map(({ cpuMs, from, to }) => {
      const then = sent.filter((request) => request.from <= to && request.to >= from - 50).map(({ what }) => what);
      return `the loop was held for ${Math.round(cpuMs)} ms, when there were under way: ${then.join(' | ')}`;
    });
}

function tellOf({ requests, feeds, attacks }: CampaignReport, readings: readonly ProbeReading[]): void {
  const heaps = readings.map(({ heapBytes }) => Math.round(heapBytes / MIB));
  const figures = {
    requests,
    attacks: attacks.size,
    accepted: `${((100 * feeds.accepted) / feeds.asked).toFixed(1)} % of ${feeds.asked} feeds`,
    longestTurnMs: Math.round(Math.max(...readings.map(({ longestCpuMs }) => longestCpuMs))),
    peakMib: Math.round(Math.max(...readings.map(({ peakRssBytes }) => peakRssBytes)) / MIB),
    heapMib: heaps.length > 12 ? [...heaps.slice(0, 3), '…', ...heaps.slice(-3)] : heaps,
  };
  process.stderr.write(`fuzz of seed ${SEED}: ${JSON.stringify(figures)}\n`);
}
