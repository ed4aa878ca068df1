import { Follower } from './follower.ts';
import { inspect, settle } from './inspection.ts';
import type { Known, KnownPipeline } from './known.ts';
import { changedBy, note, noteUnanswered } from './noting.ts';
import { type ApiDocument, createReplyCheck, operationsOf } from './openapi.ts';
import { createReading } from './reading.ts';
import { type Client, type FuzzRequest, pathOf, type Reply, tell } from './request.ts';
import { createRequests } from './requests.ts';

export interface CampaignOptions {
  client: Client;
  document: ApiDocument;
  seed: number;
  /** Values and definitions that take seconds of an unguarded event loop are sent, too. */
  isHostile: boolean;
  limiters: readonly string[];
  /** Requests on the way at a time. */
  concurrency: number;
}

export interface CampaignReport {
  requests: number;
  /** How often each operation gave each status; 0: the client hung up. */
  statuses: Map<string, Map<number, number>>;
  feeds: { asked: number; accepted: number };
  /** Names of the attacks that were sent. */
  attacks: Set<string>;
  faults: string[];
}

/** Requests that were on the way, so that what was noticed in the service can be traced to them. */
export interface Sent {
  from: number;
  to: number;
  what: string;
}

/** Faults beyond that many would be more of the same. */
const FAULTS_MAX = 50;

/** Any requests over all operations, in rounds; after each the invariants are looked at from outside, and everything is removed. */
export function createCampaign({ client: given, document, seed, isHostile, limiters, concurrency }: CampaignOptions) {
  const underWay = new Set<string>();
  const sent: Sent[] = [];
  const client = watched(given, underWay, sent);
  const operations = operationsOf(document);
  const known: Known = { pipelines: new Map(), changing: new Set(), meanwhile: { retries: new Set(), reruns: new Set() } };
  const next = createRequests({ document, operations, known, seed, limiters, isHostile });
  const fits = createReplyCheck(document);
  const reading = createReading(client);
  const followers = new Map<KnownPipeline, Promise<Follower>>();
  const report: CampaignReport = { requests: 0, statuses: new Map(), feeds: { asked: 0, accepted: 0 }, attacks: new Set(), faults: [] };
  /** Shutdowns and removals of pipelines, by id: when each was asked for and answered. */
  const endings: { id: string; from: number; to: number }[] = [];

  return { report, operations, sent, underWay, round, lookAgain, end: settleAll };

  /** So many requests, and a look at what they have left; what is wrong is in the report. */
  async function round(requests: number): Promise<void> {
    let left = requests;
    let lifting: Promise<void> | undefined;
    const run = async (): Promise<void> => {
      while (left-- > 0) await one(next());
      // Who still waits for items to end would wait for as long as a limiter was told to take.
      lifting ??= Promise.all([liftLimits(), resumeAll()]).then(() => undefined);
      await lifting;
    };
    await Promise.all(Array.from({ length: concurrency }, run));
    await lookAtAll();
  }

  /** After a restart: everything is as it was, and the events are read anew from the first one. */
  async function lookAgain(): Promise<void> {
    for (const follower of followers.values()) (await follower).close();
    followers.clear();
    await lookAtAll();
  }

  async function lookAtAll(): Promise<void> {
    for (const pipeline of known.pipelines.values()) await looking(pipeline, (say) => inspect(reading, pipeline, follow(pipeline), say));
  }

  /** Lets everything come to its end, looks, and removes it. */
  async function settleAll(): Promise<void> {
    await liftLimits();
    for (const pipeline of known.pipelines.values()) {
      await looking(pipeline, (say) => settle(reading, pipeline, follow(pipeline), say));
      (await follow(pipeline)).close();
    }
    known.pipelines.clear();
    followers.clear();
    const rest = (await reading.get<{ pipelines: { id: string }[] }>('/pipelines?limit=1000')).pipelines;
    for (const { id } of rest) await reading.ask('DELETE', `/pipelines/${encodeURIComponent(id)}?mode=force`);
  }

  /** What was asked for may let one item go a day. */
  async function liftLimits(): Promise<void> {
    const { limiters: all } = await reading.get<{ limiters: { name: string }[] }>('/limiters?limit=1000');
    for (const name of new Set([...limiters, ...all.map((limiter) => limiter.name)]))
      await reading.ask('PATCH', `/limiters/${encodeURIComponent(name)}`, { concurrency: 100, limit: null, perSeconds: null });
  }

  /** An upload into a paused pipeline waits for room, and nobody else would resume it. */
  async function resumeAll(): Promise<void> {
    const { pipelines } = await reading.get<{ pipelines: { id: string; stages: string[] }[] }>('/pipelines?limit=1000');
    for (const { id, stages } of pipelines) {
      const path = `/pipelines/${encodeURIComponent(id)}`;
      for (const stage of stages) await reading.ask('POST', `${path}/stages/${encodeURIComponent(stage)}/resume`);
      await reading.ask('POST', `${path}/resume`);
    }
  }

  async function looking(pipeline: KnownPipeline, look: (say: (fault: string) => void) => Promise<void>): Promise<void> {
    const say = (fault: string): void => fail(`${pipeline.id}${pipeline.attack === null ? '' : ` (${pipeline.attack.name})`}: ${fault}`);
    await look(say).catch((error: unknown) => say(String(error)));
  }

  async function one(request: FuzzRequest): Promise<void> {
    const changed = changedBy(request);
    const before = request.pipeline === null ? undefined : known.pipelines.get(request.pipeline.id);
    if (changed !== undefined) known.changing.add(changed);
    const from = performance.now();
    const ending = beginEnding(request);
    let reply: Reply | null;
    try {
      reply = await client.ask(request);
    } catch (error) {
      fail(`${String(error)}: ${tell(request)}`);
      return;
    } finally {
      if (changed !== undefined) known.changing.delete(changed);
      if (ending !== null) ending.to = performance.now();
    }
    count(request, reply);
    if (reply === null) {
      noteUnanswered(known, request);
      return;
    }
    const wrong = wasCutShort(request, reply, from) ? null : faultOf(request, reply);
    if (wrong !== null) fail(`${wrong}: ${tell(request)} was answered ${reply.status} ${reply.body.subarray(0, 500)}`);
    const made = note(known, request, before, reply);
    if (made !== undefined) await follow(made);
  }

  function beginEnding({ method, url }: FuzzRequest): { to: number } | null {
    const path = pathOf(url);
    const id = (method === 'DELETE' ? /^\/pipelines\/([^/]+)$/ : /^\/pipelines\/([^/]+)\/shutdown$/).exec(path)?.[1];
    if (id === undefined) return null;
    const ending = { id, from: performance.now(), to: Number.POSITIVE_INFINITY };
    endings.push(ending);
    return ending;
  }

  /** Who waits for items of a pipeline that somebody shuts down meanwhile is told so, by a documented 503. */
  function wasCutShort({ url }: FuzzRequest, { status, body }: Reply, from: number): boolean {
    if (status !== 503 || JSON.parse(String(body)).code !== 'shutting-down') return false;
    return endings.some(({ id, to }) => to >= from && pathOf(url).startsWith(`/pipelines/${id}/`));
  }

  function follow(pipeline: KnownPipeline): Promise<Follower> {
    let follower = followers.get(pipeline);
    if (follower === undefined) {
      follower = reading.stats(pipeline.id).then(({ asOf }) => Follower.open(client.port, pipeline.id, asOf));
      followers.set(pipeline, follower);
    }
    return follower;
  }

  function count({ operation, aim }: FuzzRequest, reply: Reply | null): void {
    report.requests++;
    if (aim !== 'plausible' && aim !== 'broken') report.attacks.add(aim);
    const byStatus = report.statuses.get(operation.name) ?? new Map<number, number>();
    report.statuses.set(operation.name, byStatus);
    const status = reply?.status ?? 0;
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    // Whoever hung up knows of no answer; how many do hangs on the machine.
    if (reply === null || !/\/(?:feed|run)$/.test(operation.path)) return;
    report.feeds.asked++;
    if (status === 200 || status === 202) report.feeds.accepted++;
  }

  /** What no reply may be; null when it is in order. */
  function faultOf({ operation, method, url }: FuzzRequest, { status, headers, body }: Reply): string | null {
    if (status >= 500) return 'a 5xx';
    const [type = ''] = (headers['content-type'] ?? '').split(';');
    if (method === 'HEAD') return null;
    if (status >= 400 && type !== 'application/problem+json') return 'an error that is no problem';
    if (type === 'application/x-ndjson') {
      for (const line of String(body).split('\n')) if (line !== '') JSON.parse(line);
      return null;
    }
    if (type !== 'application/json' && type !== 'application/problem+json') return null;
    const parsed = JSON.parse(String(body)) as { status: number; code: string; type: string };
    if (status >= 400) {
      if (parsed.status !== status || parsed.type !== `urn:sluice:problem:${parsed.code}`) return 'a problem that names another';
      // An address can be made another one by what is put into it.
      if (['not-found', 'method-not-allowed'].includes(parsed.code)) return null;
    }
    // The path may have become another operation's.
    const fault = isOf(operation.path, url) ? fits(operation, status, type, parsed) : null;
    return fault === null ? null : `not as documented (${fault})`;
  }

  function fail(fault: string): void {
    if (report.faults.length < FAULTS_MAX) report.faults.push(fault);
  }
}

/** What is not answered yet stands in `underWay`, for who looks when nothing goes on. */
function watched(client: Client, underWay: Set<string>, sent: Sent[]): Client {
  return {
    get port() {
      return client.port;
    },
    async ask(request) {
      const what = `${request.method} ${request.url} ${request.body?.subarray(0, 200) ?? ''}`;
      underWay.add(what);
      const from = Date.now();
      try {
        return await client.ask(request);
      } finally {
        underWay.delete(what);
        sent.push({ from, to: Date.now(), what: briefly(request) });
        if (sent.length > 2000) sent.splice(0, 1000);
      }
    },
  };
}

function briefly({ method, url, ...request }: Parameters<Client['ask']>[0]): string {
  const aim = 'aim' in request ? (request as FuzzRequest).aim : 'plausible';
  const what = aim === 'plausible' || aim === 'broken' ? '' : ` [${aim}]`;
  return `${method} ${pathOf(url).slice(0, 60)}${what}`;
}

function isOf(path: string, url: string): boolean {
  const parts = pathOf(url).split('/');
  const own = path.split('/');
  return parts.length === own.length && own.every((part, i) => part.startsWith('{') || part === parts[i]);
}
