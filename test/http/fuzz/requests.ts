import { Random } from '../../engine/simulation/random.ts';
import { definitionToRefuse } from './attacks-on-definitions.ts';
import { breakIt } from './breaking.ts';
import { createAttacks, plainDefinition } from './definitions.ts';
import { createFeeding } from './feeding.ts';
import type { Known, KnownPipeline } from './known.ts';
import type { ApiDocument, Operation, Schema } from './openapi.ts';
import type { FuzzRequest } from './request.ts';
import { createSchemaValues } from './schema-values.ts';
import { createTexts, encode } from './texts.ts';

export interface RequestOptions {
  document: ApiDocument;
  operations: readonly Operation[];
  known: Known;
  seed: number;
  /** Names of limiters that definitions may use. */
  limiters: readonly string[];
  /** Whether values and definitions are sent that take seconds of an unguarded event loop. */
  isHostile: boolean;
}

/** So many pipelines are there at a time: the first half for a day's work, the others for attacks. */
const PIPELINES = 6;
/** Of requests, those that bring another attack. */
const ATTACKS_SHARE = 0.1;
/** How long a request waits for something, or how long the client waits when it can't be told. */
const WAIT_SECONDS = 0.1;
const PATIENCE_MS = 200;

/** Requests without end, one after the other: of each operation, most of them such that they are taken. */
export function createRequests({ document, operations, known, seed, limiters, isHostile }: RequestOptions): () => FuzzRequest {
  const random = new Random(seed);
  const texts = createTexts(seed, random.fork());
  const valueFor = createSchemaValues(document, random.fork());
  const feeding = createFeeding(random.fork(), texts);
  const nextAttack = createAttacks(random.fork());
  const named = (name: string): Operation => operations.find((operation) => operation.name === name) as Operation;
  const feeds = [named('POST /pipelines/{id}/feed'), named('POST /pipelines/{id}/run')];
  // The end of the service comes at the end.
  const others = operations.filter((operation) => !feeds.includes(operation) && operation.name !== 'POST /shutdown');
  const pending: FuzzRequest[] = [];

  return () => pending.shift() ?? missing() ?? next();

  function next(): FuzzRequest {
    if (isHostile && random.chance(ATTACKS_SHARE)) return define(named('PUT /pipelines/{id}'));
    const operation = random.chance(0.4) ? random.pick(feeds) : random.pick(others);
    const isFeed = feeds.includes(operation);
    const request = isFeed ? feed(operation) : ask(operation);
    return random.chance(isFeed ? 0.15 : 0.3) ? breakIt(request, random, texts) : request;
  }

  /** A pipeline that should be there and is not. */
  function missing(): FuzzRequest | undefined {
    for (let i = 0; i < PIPELINES; i++) {
      const id = `p${i}`;
      if (!known.pipelines.has(id) && !known.changing.has(id))
        return create(random.chance(0.5) ? named('POST /pipelines') : named('PUT /pipelines/{id}'), id);
    }
    return undefined;
  }

  function create(operation: Operation, id: string): FuzzRequest {
    const isAttacked = isHostile && Number(id.slice(1)) >= PIPELINES / 2;
    const attack = isAttacked ? nextAttack() : null;
    const definition = attack === null ? plainDefinition(id, random, limiters) : { id, stages: attack.stages };
    const request = base(operation, known.pipelines.get(id) ?? null);
    request.url = operation.path.replace('{id}', id);
    return { ...request, attack, aim: attack?.name ?? 'plausible', ...json(definition) };
  }

  function feed(operation: Operation): FuzzRequest {
    const open = [...known.pipelines.values()].filter((pipeline) => !pipeline.isDraining);
    const pipeline = open.length > 0 ? random.pick(open) : anyPipeline();
    const request = base(operation, pipeline);
    if (pipeline === null) return request;
    const { query, headers, body } = feeding.plausible(pipeline);
    const isRun = operation.path.endsWith('/run');
    const more = isRun ? [`timeoutSeconds=${(random.next() * WAIT_SECONDS).toFixed(3)}`] : random.chance(0.1) ? ['wait=0.05'] : [];
    if (isRun && random.chance(0.1)) more.push(`cancelOnDisconnect=${random.chance(0.5)}`);
    const accept = isRun && random.chance(0.3) ? { accept: random.pick(['application/x-ndjson', 'text/event-stream']) } : {};
    // Lines wait for room for as long as it takes: what is asked meanwhile may keep it from ever coming.
    const mayWait = headers['content-type'] !== 'application/json' || (isRun && 'accept' in accept);
    const text = [...query, ...more].filter((part) => part !== '').join('&');
    return {
      ...request,
      aim: pipeline.attack?.name ?? 'plausible',
      url: text === '' ? request.url : `${request.url}?${text}`,
      headers: { ...headers, ...accept },
      body,
      // A client in a hurry, now and then.
      patienceMs: random.chance(0.02) ? random.int(0, 50) : mayWait ? PATIENCE_MS * 5 : null,
    };
  }

  function ask(operation: Operation): FuzzRequest {
    if (operation.name === 'POST /pipelines' || operation.name === 'PUT /pipelines/{id}') return define(operation);
    const pipeline = operation.path.endsWith('/retry') ? anyPipeline(({ failed }) => failed.length > 0) : anyPipeline();
    if (operation.name === 'DELETE /pipelines/{id}' && known.changing.has(pipeline?.id ?? '')) return ask(named('GET /pipelines'));
    const request = base(operation, pipeline);
    const hint = hintFor(pipeline);
    const query = operation.parameters
      .filter((parameter) => parameter.in === 'query')
      .filter(
        ({ name, required }) =>
          required === true || name === 'timeoutSeconds' || (random.chance(0.3) && name !== 'cursor' && name !== 'after'),
      )
      .map(({ name, schema }) => `${name}=${encode(String(valueFor(schema, hint, name)))}`);
    if (query.length > 0) request.url += `?${query.join('&')}`;
    if (random.chance(0.2)) request.headers.accept = random.pick(['application/x-ndjson', 'text/event-stream', 'application/json']);
    if (operation.method === 'GET' && random.chance(0.03)) request.method = 'HEAD';
    const schema = operation.body?.['application/json'];
    if (schema !== undefined && random.chance(0.95)) Object.assign(request, json(bodyOf(schema, hint)));
    if (operation.name === 'POST /pipelines/{id}/join' && random.chance(0.7) && pipeline !== null) comeBack(pipeline);
    const isEndless = operation.path.endsWith('/events') || request.url.includes('follow=true');
    const isTimed = request.body?.includes('"timeoutSeconds"') === true || request.url.includes('timeoutSeconds=');
    const mayWait = /\/(?:wait|join|shutdown)$/.test(operation.path) && !isTimed;
    return { ...request, patienceMs: isEndless || mayWait ? PATIENCE_MS : null };
  }

  function define(operation: Operation): FuzzRequest {
    if (isHostile && random.chance(0.3)) {
      const { name, stages } = definitionToRefuse(random);
      const id = 'refused';
      return { ...base(operation, null), url: operation.path.replace('{id}', id), aim: name, ...json({ id, stages }) };
    }
    const free = [...known.pipelines.values()].filter(({ id }) => !known.changing.has(id));
    const attacked = free.filter(({ attack }) => attack !== null);
    const { id } = random.pick(attacked.length > 0 && random.chance(0.7) ? attacked : free) ?? {};
    return id === undefined ? ask(named('GET /pipelines')) : create(named('PUT /pipelines/{id}'), id);
  }

  /** After a drain there is to be something to feed again. */
  function comeBack(pipeline: KnownPipeline): void {
    const shutdown = base(named('POST /pipelines/{id}/shutdown'), pipeline);
    pending.push({ ...shutdown, ...json({ mode: 'force', timeoutSeconds: 0.1 }) }, base(named('POST /pipelines/{id}/start'), pipeline));
  }

  function bodyOf(schema: Schema, hint: (member: string) => unknown): unknown {
    const made = valueFor(schema, hint);
    const name = schema.$ref?.split('/').at(-1);
    const { properties = {} } = name === undefined ? schema : (document.components.schemas[name] ?? {});
    return 'timeoutSeconds' in properties ? { ...(made as object), timeoutSeconds: hint('timeoutSeconds') } : made;
  }

  function hintFor(pipeline: KnownPipeline | null, isRetry = false): (member: string) => unknown {
    return (member) => {
      if (member === 'timeoutSeconds') return Number((random.next() * WAIT_SECONDS).toFixed(3));
      if (member === 'snapshotSeconds') return 0.1;
      if (member === 'workers') return random.int(1, 4);
      if (member === 'taskConcurrencyLimits' || member === 'taskRateLimits') return {};
      if (pipeline === null || random.chance(0.05)) return undefined;
      if (member === 'id' || member === 'pipelineId') return pipeline.id;
      if (member === 'stage' || member === 'fromStage') return random.pick(pipeline.stages);
      if (member === 'feedId') return oneOf(pipeline.feeds);
      if (member === 'itemId') return (isRetry ? pipeline.failed.pop() : undefined) ?? oneOf(pipeline.items);
      if (member === 'itemIds') return [oneOf(pipeline.items) ?? 'x', oneOf(pipeline.items) ?? 'y'];
      if (member === 'name') return limiters[0];
      return undefined;
    };
  }

  /** One of the newest. */
  function oneOf(ids: ReadonlySet<string>): string | undefined {
    if (ids.size === 0) return undefined;
    return [...ids].at(-random.int(1, Math.min(50, ids.size)));
  }

  /** One of those that are preferred, if there are any. */
  function anyPipeline(isPreferred: (pipeline: KnownPipeline) => boolean = () => true): KnownPipeline | null {
    const all = [...known.pipelines.values()];
    const preferred = all.filter(isPreferred);
    return all.length === 0 ? null : random.pick(preferred.length > 0 ? preferred : all);
  }

  function base(operation: Operation, pipeline: KnownPipeline | null): FuzzRequest {
    const hint = hintFor(pipeline, operation.path.endsWith('/retry'));
    const url = operation.path.replace(/\{([^}]+)\}/g, (_, name: string) => encode(String(hint(name) ?? texts.wild())));
    return {
      operation,
      method: operation.method,
      url,
      headers: {},
      body: null,
      aim: 'plausible',
      pipeline,
      attack: null,
      patienceMs: null,
    };
  }
}

function json(value: unknown): Pick<FuzzRequest, 'headers' | 'body'> {
  return { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}
