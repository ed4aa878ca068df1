/** What is asked of the service and of the file of executions when all the killing is over. */
import { readFileSync } from 'node:fs';
import type { ItemSummary, PipelineResult } from '../../src/schemas/item.ts';
import type { PipelineStats } from '../../src/schemas/stats.ts';
import type { ServerProcess } from '../e2e/server.ts';
import { executionFaults } from './executions.ts';
import type { Ledger } from './feeders.ts';

/** Everything of a list, page by page. */
async function all<T>(server: ServerProcess, path: string, name: string): Promise<T[]> {
  const rows: T[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body } = await server.get(`${path}${path.includes('?') ? '&' : '?'}limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`);
    rows.push(...(body[name] as T[]));
    cursor = body.nextCursor as string | null;
  }
  return rows;
}

/** Every way in which the accounts don't agree. */
export async function faultsOf(server: ServerProcess, ledger: Ledger, executions: string): Promise<string[]> {
  const faults = [...ledger.surprises];
  const items = await all<ItemSummary>(server, '/pipelines/work/items', 'items');
  const results = await all<PipelineResult>(server, '/pipelines/work/results?status=all', 'results');
  const stats = (await server.get('/pipelines/work/stats')).body as PipelineStats;

  const byId = new Map(items.map((item) => [item.id, item]));
  if (byId.size !== items.length) faults.push(`${items.length - byId.size} ids are there more than once`);
  for (const id of ledger.acknowledged) if (!byId.has(id)) faults.push(`${id} was acknowledged and is lost`);
  for (const { id } of items) if (!ledger.acknowledged.has(id)) faults.push(`${id} is there, and nobody was told so`);
  for (const { id, status } of items) if (!['completed', 'failed', 'cancelled'].includes(status)) faults.push(`${id} is ${status}`);

  const ended = stats.itemsProcessed + stats.itemsFailed + stats.itemsCancelled;
  if (ended !== ledger.acknowledged.size || stats.itemsFed !== ended || stats.itemsInFlight !== 0) {
    faults.push(`acknowledged ${ledger.acknowledged.size}, fed ${stats.itemsFed}, ended ${ended}, in flight ${stats.itemsInFlight}`);
  }
  const sequence = results.map((result) => result.sequenceId);
  if (results.length !== items.length || sequence.some((id, i) => i > 0 && id <= (sequence[i - 1] as number))) {
    faults.push('the results are not one an item, in feed order');
  }
  for (const { id, value, error } of results) {
    const way = JSON.stringify((value as { way?: string[] } | null)?.way);
    if (error === null && way !== '["One","Two","Three"]') faults.push(`${id} went ${way}`);
    const told = ledger.results.get(id);
    if (told !== undefined && JSON.stringify(told.result.value) !== JSON.stringify(value)) faults.push(`${id} was answered as another`);
  }
  faults.push(...executionFaults(readFileSync(executions, 'utf8'), new Set(byId.keys()), ledger.results));
  faults.push(...(await eventFaults(server, items)));
  return faults;
}

/** Ids without a gap or a repeat from the oldest that is kept, and one final event an item. */
async function eventFaults(server: ServerProcess, items: readonly ItemSummary[]): Promise<string[]> {
  const asOf = String((await server.get('/pipelines/work/stats')).body.asOf);
  const [epoch, newest] = [asOf.slice(0, asOf.lastIndexOf('-')), Number(asOf.slice(asOf.lastIndexOf('-') + 1))];
  const stream = await server.events('/pipelines/work/events?types=status,task,result,pipeline', { 'last-event-id': `${epoch}-0` });
  await stream.until(() => stream.events.at(-1)?.id === asOf);
  stream.destroy();
  const faults: string[] = [];
  if (stream.named('gap').length > 0) faults.push('events are missing');
  const ids = stream.events.filter(({ id }) => id !== undefined).map(({ id }) => Number(id?.slice(epoch.length + 1)));
  if (ids.length !== newest || ids.some((id, i) => id !== i + 1)) faults.push(`${ids.length} events of ${newest}, or not in order`);
  const finals = new Map<string, number>();
  for (const { itemId, final } of stream.named('status') as { itemId: string; final: boolean }[]) {
    if (final) finals.set(itemId, (finals.get(itemId) ?? 0) + 1);
  }
  for (const { id } of items) if (finals.get(id) !== 1) faults.push(`${id} has ended ${finals.get(id) ?? 0} times in the events`);
  return faults;
}
