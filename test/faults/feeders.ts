/** Clients that feed a service which is killed again and again, and note what it has acknowledged. Each repeats what it got no answer to. */
import { setTimeout as after } from 'node:timers/promises';
import type { PipelineResult } from '../../src/schemas/item.ts';
import type { Random } from '../engine/simulation/random.ts';
import type { Clients } from './ledger.ts';
import { STAGES } from './work.ts';

/** Feeds until it is over; `random` draws what it leaves open. */
type Feeder = (clients: Clients, random: Random) => Promise<void>;

const FED = '/pipelines/work/feed';
const RUN = '/pipelines/work/run';
const LARGE = 'Ein Stück Text, 一段文字, 🧵. '.repeat(26_000);
/** Values that are easily taken for none, or for something else. They come out as they went in. */
const PLAIN = [null, 0, '', false, [], 'Ünïcödé ✓ \u0000 \u2028', [null, 0], -0.5, '🧵', true];

const countUp = (count: number): { n: number }[] => Array.from({ length: count }, (_, n) => ({ n }));
const inLines = (items: readonly unknown[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join('');

export const FEEDERS: Record<string, Feeder> = {
  /** Without ids: only the key keeps a repeat from doubling them. */
  async keys(clients) {
    for (let n = 0; await clients.goesOn(); n++) {
      const answer = await clients.ask(FED, { headers: { 'idempotency-key': `key-${n}` }, body: { items: countUp(5) } });
      if (clients.expect('a feed under a key', answer, 202)) for (const id of answer.body.ids) clients.ledger.acknowledged.add(id);
      await after(5);
    }
  },

  async ids(clients, random) {
    for (let n = 0; await clients.goesOn(); n++) {
      const ids = Array.from({ length: 10 }, (_, i) => `own-${n}-${i}`);
      const items = ids.map((id, i) => ({ id, value: { n: i }, customer: 'c' }));
      const answer = await clients.ask(FED, { body: { items, priority: random.pick([0, 5, 100, 100, 1000]) } });
      if (!clients.expect('a feed of own ids', answer, 202)) continue;
      const { accepted, duplicates } = answer.body;
      if (accepted + duplicates !== ids.length)
        clients.ledger.surprises.push(`${accepted} accepted and ${duplicates} known of ${ids.length}`);
      for (const id of ids) clients.ledger.acknowledged.add(id);
      await after(5);
    }
  },

  async lines(clients) {
    for (let n = 0; await clients.goesOn(); n++) {
      const ids = Array.from({ length: 50 }, (_, i) => `line-${n}-${i}`);
      const body = inLines(ids.map((id, i) => ({ id, value: { n: i } })));
      const answer = await clients.ask(FED, { headers: { 'content-type': 'application/x-ndjson' }, body });
      if (clients.expect('a feed of lines', answer, 202)) for (const id of ids) clients.ledger.acknowledged.add(id);
      await after(20);
    }
  },

  /** Lines without ids, under a key: a repeat goes on where the upload was cut off. */
  async uploads(clients, random) {
    for (let n = 0; await clients.goesOn(); n++) {
      const count = random.int(1, 400);
      const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': `upload-${n}` };
      const answer = await clients.ask(FED, { headers, body: inLines(countUp(count)) });
      if (clients.expect('an upload under a key', answer, 202)) clients.ledger.uploads.set(answer.body.feedId, count);
      await after(30);
    }
  },

  async runs(clients) {
    for (let n = 0; await clients.goesOn(); n++) {
      const items = [`run-${n}-a`, `run-${n}-b`].map((id) => ({ id, value: { n } }));
      const answer = await clients.ask(RUN, { headers: { 'idempotency-key': `run-${n}` }, body: { items, priority: 1 } });
      if (!clients.expect('a run', answer, 200)) continue;
      const results = answer.body.results as PipelineResult[];
      for (const result of results) clients.ledger.told(result);
      if (results.length !== items.length) clients.ledger.surprises.push(`a run of 2 gave ${results.length}`);
    }
  },

  /** Each line is a promise, whatever becomes of the stream. */
  async streams(clients) {
    for (let n = 0; await clients.goesOn(); n++) {
      const items = Array.from({ length: 8 }, (_, i) => ({ id: `stream-${n}-${i}`, value: { n: i } }));
      const headers = { 'idempotency-key': `stream-${n}`, accept: 'application/x-ndjson' };
      const seen = new Set<string>();
      const onLine = (line: string): void => {
        const result = JSON.parse(line) as PipelineResult;
        if (result.id === undefined) throw new Error('it was cut short');
        seen.add(result.id);
        clients.ledger.told(result);
      };
      const answer = await clients.ask(RUN, { headers, body: { items, priority: 1 }, onLine });
      if (clients.expect('a streamed run', answer, 200) && seen.size !== items.length) {
        clients.ledger.surprises.push(`a streamed run of ${items.length} gave ${seen.size}`);
      }
    }
  },

  async plain(clients) {
    for (let n = 0; await clients.goesOn(); n++) {
      const answer = await clients.ask(FED, {
        headers: { 'idempotency-key': `plain-${n}` },
        body: { items: PLAIN },
      });
      if (clients.expect('a feed of plain values', answer, 202)) {
        for (const [i, id] of (answer.body.ids as string[]).entries()) {
          clients.ledger.acknowledged.add(id);
          clients.ledger.values.set(id, JSON.stringify(PLAIN[i]));
        }
      }
      await after(20);
    }
  },

  /** A megabyte each, few of them at a time. */
  async large(clients) {
    for (let n = 0; await clients.goesOn(); n++) {
      const id = `large-${n}`;
      const answer = await clients.ask(FED, { body: { items: [{ id, value: LARGE }], priority: 1 } });
      if (clients.expect('a large item', answer, 202)) {
        clients.ledger.acknowledged.add(id);
        clients.ledger.values.set(id, JSON.stringify(LARGE));
      }
      await after(150);
    }
  },

  async targets(clients, random) {
    for (let n = 0; await clients.goesOn(); n++) {
      const ids = [`target-${n}-a`, `target-${n}-b`];
      const targetStage = random.pick(STAGES);
      const answer = await clients.ask(FED, {
        body: { items: ids.map((id) => ({ id, value: { n } })), targetStage, priority: random.int(0, 200) },
      });
      if (clients.expect('a feed of a later stage', answer, 202)) {
        for (const id of ids) {
          clients.ledger.acknowledged.add(id);
          clients.ledger.targets.set(id, targetStage);
        }
      }
      await after(15);
    }
  },

  /** All new or nothing: a repeat after a lost answer is refused, and names all of them. */
  async rejects(clients) {
    for (let n = 0; await clients.goesOn(); n++) {
      const ids = [`reject-${n}-a`, `reject-${n}-b`];
      const answer = await clients.ask(FED, { body: { items: ids.map((id) => ({ id, value: { n } })), onDuplicate: 'reject' } });
      if (clients.expect('a feed that rejects', answer, ...(answer.attempt === 0 ? [202] : [202, 409]))) {
        for (const id of ids) clients.ledger.acknowledged.add(id);
      }
      const mixed = {
        items: [
          { id: `${ids[0]}`, value: {} },
          { id: `never-${n}`, value: {} },
        ],
        onDuplicate: 'reject',
      };
      clients.expect('a feed with a known id', await clients.ask(FED, { body: mixed }), 409);
      await after(20);
    }
  },

  /** The same few ids again and again, once what they were has ended. */
  async reruns(clients) {
    for (let n = 1; await clients.goesOn(); n++) {
      const id = `again-${n % 7}`;
      const headers = { 'idempotency-key': `again-${n}` };
      const answer = await clients.ask(FED, { headers, body: { items: [{ id, value: { again: n } }], onDuplicate: 'rerun', priority: 1 } });
      if (clients.expect('a feed that runs again', answer, 202)) {
        clients.ledger.acknowledged.add(id);
        if (answer.body.accepted === 1) clients.ledger.again.set(id, n);
      }
      await after(20);
    }
  },
};
