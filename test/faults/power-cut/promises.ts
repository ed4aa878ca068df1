/** What a service has told its clients so far, and whether a start finds it. */
import { join } from 'node:path';
import { createLocalHost, type PipelineRuntime } from '../../../src/engine/index.ts';
import { systemPorts } from '../../../src/engine/ports.ts';
import type { PipelineResult, StatusEvent } from '../../../src/schemas/item.ts';
import { audit } from '../../../src/stores/sqlite/audit.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/index.ts';
import { EVERYTHING, eventsOf } from '../../conformance/world.ts';
import { HOST, registryOf } from '../../stores/durable-host.ts';

const CREATED = /^HTTP\/1\.1 201 .*"id":"(\w+)"/s;
const ACCEPTED = /^HTTP\/1\.1 202 .*"ids":(\[[^\]]*\])/s;
const RESULTS = /^HTTP\/1\.1 200 .*"results":(\[.*\]),"errorSummary"/s;
const TUNED = /^HTTP\/1\.1 200 .*"effective":\{[^}]*"queueCapacity":(\d+)/s;
const EVENT_ID = /^id: \w+-(\d+)$/gm;
const ENDED = /^data: (\{"itemId":.*"final":true.*\})$/gm;

export class Promises {
  readonly pipelines = new Set<string>();
  readonly items = new Set<string>();
  /** Of the pipeline that forgets its items. */
  readonly bulk = new Set<string>();
  readonly results = new Map<string, string>();
  readonly ended = new Map<string, string>();
  capacity = 0;
  event = 0;

  /** Everything that is told by what was sent. */
  note(text: string): void {
    const created = CREATED.exec(text)?.[1];
    if (created !== undefined) this.pipelines.add(created);
    for (const id of JSON.parse(ACCEPTED.exec(text)?.[1] ?? '[]') as string[]) this.items.add(id);
    for (const { id, value } of JSON.parse(RESULTS.exec(text)?.[1] ?? '[]') as PipelineResult[]) {
      if (id.startsWith('bulk')) this.bulk.add(id);
      else this.results.set(id, JSON.stringify(value));
    }
    this.capacity = Math.max(this.capacity, Number(TUNED.exec(text)?.[1] ?? 0));
    for (const [, id] of text.matchAll(EVENT_ID)) this.event = Math.max(this.event, Number(id));
    for (const [, data] of text.matchAll(ENDED)) {
      const { itemId, status } = JSON.parse(data as string) as StatusEvent;
      this.ended.set(itemId, status);
    }
  }

  get count(): number {
    return this.pipelines.size + this.items.size + this.bulk.size + this.results.size + this.ended.size + this.event;
  }
}

const step = (value: unknown, { stage }: { stage: string }): unknown => ({
  ...(value as object),
  way: [...((value as { way?: string[] }).way ?? []), stage],
});

/** Every promise that a start in this folder does not keep, and everything else that is wrong with what it finds. The service goes on until nothing is left to do. */
export async function faultsAfter(folder: string, promised: Promises): Promise<string[]> {
  const file = join(folder, 'data/sluice.db');
  const faults: string[] = [];
  try {
    const store = await openSqliteStore({ file, inProcess: true });
    const host = createLocalHost({ ...HOST, registry: registryOf({ step }), ports: systemPorts, store });
    try {
      await host.recover(new Set());
      const there = new Set((await host.list()).map(({ definition: { id } }) => id));
      for (const id of promised.pipelines) if (!there.has(id)) faults.push(`the pipeline ${id} is lost`);
      if (there.has('work')) faults.push(...(await faultsBefore(host.get('work'), promised)));
      if (there.has('bulk')) {
        const { itemsProcessed } = await host.get('bulk').stats();
        if (itemsProcessed < promised.bulk.size) faults.push(`${promised.bulk.size} of bulk were told, ${itemsProcessed} are done`);
      }
      host.goOn();
      if (there.has('work')) faults.push(...(await faultsAtTheEnd(host.get('work'), promised)));
    } finally {
      await host.shutdown('graceful', 10);
      await host.close();
    }
    faults.push(...audit(file).faults);
  } catch (error) {
    faults.push(`it does not start: ${(error as Error).stack}`);
  }
  return faults;
}

/** What a start has found, before anything goes on. */
async function faultsBefore(work: PipelineRuntime, promised: Promises): Promise<string[]> {
  const faults: string[] = [];
  const { rows } = await work.items(EVERYTHING);
  const byId = new Map(rows.map(({ id, status }) => [id, status]));
  const { itemsFed } = await work.stats();
  if (byId.size !== rows.length || itemsFed !== rows.length) faults.push(`${rows.length} items, ${byId.size} ids, ${itemsFed} fed`);
  for (const id of promised.items) if (!byId.has(id)) faults.push(`${id} was acknowledged and is lost`);
  for (const [id, status] of promised.ended) if (byId.get(id) !== status) faults.push(`${id} was told ${status} and is ${byId.get(id)}`);
  const results = new Map((await work.results({ ...EVERYTHING, status: 'all' })).rows.map(({ id, value }) => [id, JSON.stringify(value)]));
  for (const [id, value] of promised.results)
    if (results.get(id) !== value) faults.push(`${id} was answered ${value}, and is ${results.get(id)}`);
  if (work.events.newest < promised.event) faults.push(`event ${promised.event} was sent, the newest is ${work.events.newest}`);
  if (promised.capacity > 0) {
    const { effective } = await work.tune('Two', {});
    if (effective.queueCapacity < promised.capacity) faults.push(`${promised.capacity} was tuned, it is ${effective.queueCapacity}`);
  }
  return faults;
}

async function faultsAtTheEnd(work: PipelineRuntime, promised: Promises): Promise<string[]> {
  const faults: string[] = [];
  const again = await work.feed(
    [...promised.items].map((id) => ({ id })),
    { priority: 100 },
  );
  if (again.accepted !== 0) faults.push(`${again.accepted} items could be fed again`);
  await work.join();
  const events = eventsOf(work);
  if (events.length !== work.events.newest || events.some(({ seq }, i) => seq !== i + 1)) faults.push('events are missing');
  const finals = new Map<string, number>();
  for (const { type, data } of events) {
    if (type === 'status' && data.final) finals.set(data.itemId, (finals.get(data.itemId) ?? 0) + 1);
  }
  const { rows } = await work.results({ ...EVERYTHING, status: 'all' });
  for (const { id, value, error } of rows) {
    const way = JSON.stringify((value as { way?: string[] } | null)?.way);
    if (error !== null || way !== '["One","Two"]') faults.push(`${id} went ${way} ${JSON.stringify(error)}`);
    if (finals.get(id) !== 1) faults.push(`${id} has ended ${finals.get(id) ?? 0} times`);
  }
  return faults;
}
