/** Clients that feed a service which is killed again and again, and note what it has acknowledged. */
import { setTimeout as after } from 'node:timers/promises';
import type { PipelineResult } from '../../src/schemas/item.ts';

/** What was promised to clients. Everything in it has to be found in the end. */
export interface Ledger {
  /** Ids that a 202, a 200 of `run`, or a repeat of either has named. */
  acknowledged: Set<string>;
  /** What `run` has answered, by id, and how many kills had been over when the answer was here: it came from that life at the latest. */
  results: Map<string, { result: PipelineResult; life: number }>;
  /** Requests that were repeated after an answer was lost. */
  repeated: number;
  /** Answers that no feeder should get. */
  surprises: string[];
  /** How many times the service was killed. It goes up between the end of a process and the start of the next one. */
  life: number;
}

interface Answer {
  status: number;
  body: { ids?: string[]; feedId?: string; accepted?: number; duplicates?: number; results?: PipelineResult[]; firstSequence?: number };
}

type Send = (path: string, init: RequestInit) => Promise<Answer>;

/** Sends until there is an answer that says yes or no: whoever gets none asks again, as clients do. */
function sender(url: () => string | null, ledger: Ledger, isOver: () => boolean): Send {
  return async (path, init) => {
    for (let attempt = 0; ; attempt++) {
      try {
        const at = url();
        if (at === null) throw new Error('there is no service to connect to');
        const response = await fetch(at + path, { method: 'POST', ...init, signal: AbortSignal.timeout(20_000) });
        const body = (await response.json()) as Answer['body'];
        if (response.status !== 503 && response.status !== 429) return { status: response.status, body };
      } catch {
        // The service died under it, or has not come back yet.
        if (isOver() && attempt > 2000) throw new Error('the service does not come back');
      }
      if (attempt === 0) ledger.repeated++;
      await after(10);
    }
  };
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Four kinds of clients, until `isOver`. `url` is null while there is no service. */
export async function feed(url: () => string | null, ledger: Ledger, isOver: () => boolean): Promise<void> {
  const send = sender(url, ledger, isOver);
  const fed = '/pipelines/work/feed';

  const expect = (what: string, answer: Answer, status: number): boolean => {
    if (answer.status === status) return true;
    ledger.surprises.push(`${what}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`);
    return false;
  };

  /** Without ids: only the key keeps a repeat from doubling them. */
  const underKeys = async (): Promise<void> => {
    for (let n = 0; !isOver(); n++) {
      const items = Array.from({ length: 5 }, (_, i) => ({ n: n * 5 + i }));
      const headers = { ...JSON_TYPE, 'idempotency-key': `key-${n}` };
      const answer = await send(fed, { headers, body: JSON.stringify({ items }) });
      if (!expect('a feed under a key', answer, 202)) continue;
      for (const id of answer.body.ids ?? []) ledger.acknowledged.add(id);
      await after(5);
    }
  };

  const withIds = async (): Promise<void> => {
    for (let n = 0; !isOver(); n++) {
      const ids = Array.from({ length: 10 }, (_, i) => `own-${n}-${i}`);
      const items = ids.map((id, i) => ({ id, value: { n: i }, customer: 'c' }));
      const answer = await send(fed, { headers: JSON_TYPE, body: JSON.stringify({ items, priority: n % 3 === 0 ? 5 : 100 }) });
      if (!expect('a feed of own ids', answer, 202)) continue;
      const { accepted = 0, duplicates = 0 } = answer.body;
      if (accepted + duplicates !== ids.length) ledger.surprises.push(`${accepted} accepted and ${duplicates} known of ${ids.length}`);
      for (const id of ids) ledger.acknowledged.add(id);
      await after(5);
    }
  };

  const inLines = async (): Promise<void> => {
    for (let n = 0; !isOver(); n++) {
      const ids = Array.from({ length: 50 }, (_, i) => `line-${n}-${i}`);
      const body = ids.map((id, i) => `${JSON.stringify({ id, value: { n: i } })}\n`).join('');
      const answer = await send(fed, { headers: { 'content-type': 'application/x-ndjson' }, body });
      if (!expect('a feed of lines', answer, 202)) continue;
      for (const id of ids) ledger.acknowledged.add(id);
      await after(20);
    }
  };

  const running = async (): Promise<void> => {
    for (let n = 0; !isOver(); n++) {
      const ids = [`run-${n}-a`, `run-${n}-b`];
      const headers = { ...JSON_TYPE, 'idempotency-key': `run-${n}` };
      const items = ids.map((id) => ({ id, value: { n } }));
      const answer = await send('/pipelines/work/run', { headers, body: JSON.stringify({ items, priority: 1 }) });
      if (!expect('a run', answer, 200)) continue;
      for (const result of answer.body.results ?? []) {
        ledger.acknowledged.add(result.id);
        ledger.results.set(result.id, { result, life: ledger.life });
      }
      if (answer.body.results?.length !== ids.length) ledger.surprises.push(`a run of 2 gave ${answer.body.results?.length}`);
    }
  };

  await Promise.all([underKeys(), withIds(), inLines(), running()]);
}
