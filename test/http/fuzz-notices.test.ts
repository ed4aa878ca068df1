import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { builtInTasks } from '../../tasks/index.ts';
import { type Service, startService } from './app-harness.ts';
import { type CampaignReport, createCampaign } from './fuzz/campaign.ts';
import { injectClient } from './fuzz/clients.ts';
import { Follower } from './fuzz/follower.ts';
import type { ApiDocument } from './fuzz/openapi.ts';
import type { Client } from './fuzz/request.ts';

/* The fuzz of fuzz.test.ts is worth what it would notice: here the service is made to lie. */

interface Lie {
  /** Of which replies. */
  at: RegExp;
  /** The body as it is told instead. */
  // biome-ignore lint/suspicious/noExplicitAny: any body of the API
  tell(body: any): void;
  noticed: RegExp;
}

const LIES: Record<string, Lie> = {
  'an item is lost': {
    at: /\/items\?/,
    tell: (page) => {
      page.items = page.items.filter(({ sequenceId }: { sequenceId: number }) => sequenceId !== 2);
    },
    noticed: /items are (?:completed|failed|queued|cancelled|retrying|in_progress), \d+ are counted|acknowledged and is not known/,
  },
  'an item stands in two places': {
    at: /\/items\?status=queued/,
    tell: (page) => void page.items.push({ id: 'i-1', sequenceId: 1, status: 'queued', stage: 'Only', feedId: 'f' }),
    noticed: /and something else|by their status/,
  },
  'a counter counts one too many': {
    at: /\/stats$/,
    tell: (stats) => void stats.itemsProcessed++,
    noticed: /fed, and processed \+ failed \+ cancelled \+ in flight/,
  },
  'the counter of a stage is one short': {
    at: /\/stats$/,
    tell: (stats) => {
      for (const stage of Object.values<{ pendingItems: number }>(stats.stageStats)) stage.pendingItems--;
    },
    noticed: /in flight, and in all stages/,
  },
  'results come in another order': {
    at: /\/results\?status=all/,
    tell: (page) => void page.results.reverse(),
    noticed: /results, in whatever order/,
  },
  'a feed counts what it has not': {
    at: /\/feeds\?/,
    tell: (page) => {
      for (const feed of page.feeds) feed.completed++;
    },
    noticed: /does not add up/,
  },
  'a member of a reply is gone': {
    at: /\/(?:tasks|limiters|pipelines)(?:\?|$)/,
    tell: (page) => delete page.nextCursor,
    noticed: /not as documented/,
  },
};

const REQUESTS = 80;

let service: Service;
let client: Client;
let document: ApiDocument;

beforeAll(async () => {
  service = await startService({
    tasks: builtInTasks({ outputDir: join(tmpdir(), 'sluice-fuzz-notices'), httpAllowHosts: ['127.0.0.1:9'] }),
  });
  const { app } = service;
  await app.listen({ port: 0, host: '127.0.0.1' });
  document = (await app.inject('/openapi.json')).json();
  client = injectClient(app, (app.server.address() as AddressInfo).port);
});
afterAll(() => service[Symbol.asyncDispose]());

describe('the fuzz', () => {
  for (const [what, lie] of Object.entries(LIES)) {
    it(`notices when ${what}`, { timeout: 60_000 }, async () => {
      const { faults } = await reportOf(lying(client, lie));
      expect(faults.filter((fault) => lie.noticed.test(fault)).length).toBeGreaterThan(0);
    });
  }

  it('notices a 5xx', { timeout: 60_000 }, async () => {
    const failing: Client = { ...client, ask: async (request) => broken(await client.ask(request), request.url.includes('/workers')) };
    const { faults } = await reportOf(failing);
    expect(faults.filter((fault) => fault.startsWith('a 5xx')).length).toBeGreaterThan(0);
  });

  it.each([
    ['is missing', [1, 2, 4], /event e-4 where e-3 belongs/],
    ['comes twice', [1, 2, 2], /event e-2 where e-3 belongs/],
  ])('notices when an event %s', async (_, numbers, noticed) => {
    const follower = await following(numbers.map((seq) => `id: e-${seq}\nevent: pipeline\ndata: {}\n\n`));
    expect(follower.faults.join()).toMatch(noticed);
  });

  it('notices when an item ends twice', async () => {
    const end = JSON.stringify({ itemId: 'a', status: 'completed', final: true });
    const follower = await following([1, 2].map((seq) => `id: e-${seq}\nevent: status\ndata: ${end}\n\n`));
    expect(follower.faults.join()).toMatch(/a was completed at its end, and then completed/);
  });
});

/** Of a short campaign, after which the service is as it was. */
async function reportOf(lied: Client): Promise<CampaignReport> {
  const { report, round } = createCampaign({ client: lied, document, seed: 7, isHostile: false, limiters: [], concurrency: 4 });
  await round(REQUESTS);
  for (const { definition } of await service.host.list()) await service.host.remove(definition.id, 'force');
  return report;
}

function lying(client: Client, { at, tell }: Lie): Client {
  return {
    ...client,
    async ask(request) {
      const reply = await client.ask(request);
      if (reply === null || reply.status !== 200 || request.method !== 'GET' || !at.test(request.url)) return reply;
      if (!reply.headers['content-type']?.startsWith('application/json')) return reply;
      const body = JSON.parse(String(reply.body));
      tell(body);
      return { ...reply, body: Buffer.from(JSON.stringify(body)) };
    },
  };
}

function broken(reply: Awaited<ReturnType<Client['ask']>>, isBroken: boolean) {
  return reply !== null && isBroken ? { ...reply, status: 500 } : reply;
}

/** Has read all these events of a server. */
async function following(events: readonly string[]): Promise<Follower> {
  const server = createServer((_, response) => response.end(events.join(''))).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const follower = await Follower.open((server.address() as AddressInfo).port, 'p', 'e-1000');
  await follower.reached('e-1000');
  return follower;
}
