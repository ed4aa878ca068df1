import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startOwnPostgres } from '../../test/cluster/postgres-binaries.ts';
import { bullmqChain } from '../bullmq-chain.ts';
import { CONNECTIONS, drainRate, feedRate } from '../feeding.ts';
import { type BenchRow, median } from '../row.ts';
import { startService } from '../servers/service.ts';
import { ratios, spread } from '../turns.ts';
import { folderOfWork, nodeEnv, ON_DISK, startHand } from './setup.ts';

const LINES = 50_000;
const BULLMQ_LINES = 5000;
const REQUESTS = 12_800;
const HAND_ROUNDS = 3;
const ROUNDS = Number(process.env.ROUNDS ?? 7);
const texts = Array.from({ length: LINES }, (_, n) => JSON.stringify({ sku: 'A-4711', quantity: 3, note: 'as soon as possible', n }));

/** One node over PostgreSQL against the same service over its SQLite file, and against queues of BullMQ; they take turns. */
export async function storeRows(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(ON_DISK, 'sluice-bench-'));
  const work = folderOfWork(folder);
  const postgres = await startOwnPostgres({}, ON_DISK);
  try {
    const sqlite = await startService({ ...work, STORE_URL: `file:${join(folder, 'sluice.db')}` });
    const node = await startService({ ...work, ...nodeEnv(postgres.url, folder, 'a') });
    await node.logged('the pipelines go on here');
    const rates = { file: [] as number[], log: [] as number[], bullmq: [] as number[] };
    const feeds = { file: [] as number[], log: [] as number[] };
    for (let round = 0; round <= ROUNDS; round++) {
      const [ofFile, ofLog] = [await drainRate(sqlite.port, texts), await drainRate(node.port, texts)];
      const text = texts[0] as string;
      const [fedFile, fedLog] = [await feedRate(sqlite.port, text, REQUESTS), await feedRate(node.port, text, REQUESTS)];
      const bullmq = round % 3 === 1 ? await bullmqChain(texts.slice(0, BULLMQ_LINES)) : null;
      const figures = [ofFile, ofLog, fedFile, fedLog, bullmq ?? 0].map(Math.round);
      process.stderr.write(
        `items/s: SQLite ${figures[0]}, PostgreSQL ${figures[1]}, BullMQ ${figures[4]}; feeds/s: ${figures[2]}, ${figures[3]}\n`,
      );
      // The first round warms up.
      if (round === 0) continue;
      rates.file.push(ofFile);
      rates.log.push(ofLog);
      feeds.file.push(fedFile);
      feeds.log.push(fedLog);
      if (bullmq !== null) rates.bullmq.push(bullmq);
    }
    const hands = await Promise.all([0, 1].map((n) => startHand(work, node, `hand-${n}`)));
    await node.logged('a hand has connected', hands.length);
    const onHands: number[] = [];
    for (let round = 0; round <= HAND_ROUNDS; round++) onHands.push(await drainRate(node.port, texts));
    process.stderr.write(`items/s on PostgreSQL with two hands: ${onHands.map(Math.round)}\n`);
    await Promise.all([sqlite, node, ...hands].map((each) => each.end('SIGKILL')));
    const ofFile = ratios(rates.log, rates.file);
    const ofFeeds = ratios(feeds.log, feeds.file);
    const ofBullmq = median(rates.log) / median(rates.bullmq);
    return [
      {
        claim:
          'three durable no-op stages on PostgreSQL, fed as NDJSON until the last result is in the log: items a second, of the SQLite store',
        bar: '≥ 0.6',
        figure: `${spread(ofFile)}, ${Math.round(median(rates.log))} items/s`,
        holds: median(ofFile) >= 0.6,
      },
      {
        claim: 'the same, of three BullMQ queues on a local Redis (AOF everysec)',
        bar: '≥ 8',
        figure: ofBullmq.toFixed(1),
        holds: ofBullmq >= 8,
      },
      {
        claim: `POST feed of one item on PostgreSQL, ${CONNECTIONS} connections: requests a second, of the SQLite store`,
        bar: '≥ 0.5',
        figure: `${spread(ofFeeds)}, ${Math.round(median(feeds.log))} requests/s`,
        holds: median(ofFeeds) >= 0.5,
      },
      {
        claim: 'three stages on PostgreSQL, each no-op on one of two hands on this machine: items a second',
        bar: '',
        figure: String(Math.round(median(onHands.slice(1)))),
        holds: true,
      },
    ];
  } finally {
    await postgres.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}
