import { type DefinitionFacts, type Known, type KnownPipeline, pipelineOf } from './known.ts';
import { type FuzzRequest, pathOf, type Reply } from './request.ts';

/** Which pipeline the request makes, replaces or removes; undefined for one that leaves all where they are. */
export function changedBy({ method, url, body }: FuzzRequest): string | undefined {
  const path = pathOf(url);
  const id = /^\/pipelines\/([^/]+)$/.exec(path)?.[1];
  if (id !== undefined) return method === 'PUT' || method === 'DELETE' ? decodeURIComponent(id) : undefined;
  return method === 'POST' && path === '/pipelines' ? /"id":"([^"]*)"/.exec(String(body))?.[1] : undefined;
}

/** What the request may have done although its client hung up before it was answered. */
export function noteUnanswered(known: Known, request: FuzzRequest): void {
  const changed = changedBy(request);
  const existing = changed === undefined ? undefined : known.pipelines.get(changed);
  if (changed !== undefined && request.method === 'DELETE') {
    known.pipelines.delete(changed);
    // It may be there still, with all that was done to it, when it is made the next time.
    known.meanwhile.reruns.add(changed);
    known.meanwhile.retries.add(changed);
  } else if (existing !== undefined) existing.wasRedefined = true;
  noteRepeats(known, request);
}

/**
 * Learns from an answer. `before` is what was known of the pipeline when the request was sent. Returns the pipeline when it is a new one.
 */
export function note(known: Known, request: FuzzRequest, before: KnownPipeline | undefined, reply: Reply): KnownPipeline | undefined {
  const { status } = reply;
  const path = pathOf(request.url);
  const changed = changedBy(request);
  if (changed !== undefined) return status < 300 ? noteChange(known, request, changed, reply) : undefined;
  // Also without an answer that says so: it may have happened all the same.
  noteRepeats(known, request);
  const { name, rest } = placeOf(path);
  const pipeline = known.pipelines.get(name);
  if (pipeline === undefined) return undefined;
  if (rest === 'join' && status < 300) pipeline.isDraining = true;
  if (rest === 'start' && status < 300) pipeline.isDraining = false;
  const isSame = pipeline === before && !known.changing.has(pipeline.id);
  if ((rest === 'feed' || rest === 'run') && isSame && (status === 200 || status === 202)) acknowledge(pipeline, reply);
  return undefined;
}

/** The pipeline of a path, and what follows it. */
function placeOf(path: string): { name: string; rest: string } {
  const [, id = '', rest = ''] = /^\/pipelines\/([^/]+)\/(.+)$/.exec(path) ?? [];
  return { name: decodeURIComponent(id), rest };
}

/** Items that have ended may go on. */
function noteRepeats(known: Known, request: FuzzRequest): void {
  const { name, rest } = placeOf(pathOf(request.url));
  const [, query = ''] = request.url.split('?');
  const reruns = /rerun/.test(query) || /"onDuplicate":"rerun"/.test(String(request.body));
  const retries = /(?:^|\/)retry$/.test(rest);
  if (known.changing.has(name)) {
    // It may have been done to the pipeline that is being made, whose own answer is still on its way.
    if (reruns) known.meanwhile.reruns.add(name);
    if (retries) known.meanwhile.retries.add(name);
  }
  const pipeline = known.pipelines.get(name);
  if (pipeline === undefined) return;
  pipeline.hasReruns ||= reruns;
  pipeline.hasRetries ||= retries;
}

function noteChange(known: Known, request: FuzzRequest, id: string, reply: Reply): KnownPipeline | undefined {
  const { pipelines } = known;
  if (request.method === 'DELETE') {
    pipelines.delete(id);
    return undefined;
  }
  const definition = JSON.parse(String(reply.body)).definition as DefinitionFacts;
  const existing = pipelines.get(id);
  if (reply.status === 201 || existing === undefined) {
    const made = pipelineOf(definition, request.attack);
    // One that is known by now is this one, when another request that changes it was answered first.
    made.hasReruns = known.meanwhile.reruns.delete(id) || existing?.hasReruns === true;
    made.hasRetries = known.meanwhile.retries.delete(id) || existing?.hasRetries === true;
    // It was there, and only its client did not know.
    made.wasRedefined = reply.status !== 201;
    pipelines.set(id, made);
    return made;
  }
  existing.stages = definition.stages.map(({ name }) => name);
  existing.attack = request.attack;
  existing.isRetiring ||= definition.retention !== undefined;
  existing.wasRedefined = true;
  return undefined;
}

function acknowledge(pipeline: KnownPipeline, { headers, body }: Reply): void {
  const location = /\/feeds\/([^/?]+)/.exec(headers.location ?? '')?.[1];
  if (location !== undefined) pipeline.feeds.add(decodeURIComponent(location));
  if (!headers['content-type']?.startsWith('application/json')) return;
  const receipt = JSON.parse(String(body)) as { feedId?: string; ids?: string[]; results?: { id: string; error: unknown }[] };
  if (receipt.feedId !== undefined) pipeline.feeds.add(receipt.feedId);
  for (const id of receipt.ids ?? []) pipeline.items.add(id);
  for (const { id, error } of receipt.results ?? []) {
    pipeline.items.add(id);
    if (error !== null) pipeline.failed.push(id);
  }
}
