import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { type ServerProcess, startServer } from '../e2e/server.ts';
import { faultsOf } from './account.ts';
import { feed, type Ledger } from './feeders.ts';
import { workIn } from './work.ts';

export interface KillReport {
  kills: number;
  acknowledged: number;
  repeated: number;
  /** Seconds until the service answered again, the longest. */
  slowestStart: number;
  faults: string[];
}

/**
 * Feeds a service and kills it again and again at random moments; in the end everything that it has acknowledged has to be there, once.
 * `longestMs` is how long it lives at most between two kills.
 */
export async function killAgainAndAgain(count: number, longestMs: number, random: () => number): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kills-'));
  const env = workIn(folder);
  const ledger: Ledger = { acknowledged: new Set(), results: new Map(), repeated: 0, surprises: [], life: 0 };
  env.LIFE = '0';
  let slowestStart = 0;
  let server: ServerProcess = await startServer(env);
  // Each life has a port of its own: between two lives anybody may take the one that was left.
  let url: string | null = server.url;
  let isOver = false;
  const fed = feed(
    () => url,
    ledger,
    () => isOver,
  );
  try {
    for (let i = 0; i < count; i++) {
      await after(20 + random() * longestMs);
      // However slow the machine is: every second life lives until it has acknowledged some items.
      if (i % 2 === 0) await acknowledgesMore(ledger, 25);
      url = null;
      server.signal('SIGKILL');
      await server.exited;
      env.LIFE = String(++ledger.life);
      const began = performance.now();
      server = await startServer(env);
      url = server.url;
      slowestStart = Math.max(slowestStart, (performance.now() - began) / 1000);
    }
    isOver = true;
    await fed;
    await server.post('/pipelines/work/join', {});
    const faults = await faultsOf(server, ledger, env.EXECUTIONS as string);
    await server.stop();
    faults.push(...audit(join(folder, 'data/sluice.db')).faults);
    return { kills: ledger.life, acknowledged: ledger.acknowledged.size, repeated: ledger.repeated, slowestStart, faults };
  } finally {
    isOver = true;
    server.signal('SIGKILL');
    await server.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function acknowledgesMore({ acknowledged }: Ledger, count: number): Promise<void> {
  for (const goal = acknowledged.size + count; acknowledged.size < goal; ) await after(5);
}
