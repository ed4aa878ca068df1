/** What is asked of the service and of the file of executions when all the dying is over. */
import { readFileSync } from 'node:fs';
import type { ItemSummary, PipelineResult } from '../../src/schemas/item.ts';
import type { PipelineStats } from '../../src/schemas/stats.ts';
import type { ServerProcess } from '../e2e/server.ts';
import { eventFaults } from './event-account.ts';
import { type Execution, executionFaults } from './executions.ts';
import type { Ledger } from './ledger.ts';
import { STAGES } from './work.ts';

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

export const itemsOf = (server: ServerProcess): Promise<ItemSummary[]> => all(server, '/pipelines/work/items', 'items');

/** Every way in which the accounts don't agree. `isOneProcess`: there was one process at a time, so that the file of executions is in the order of what was stored. */
export async function faultsOf(server: ServerProcess, ledger: Ledger, executions: string, isOneProcess = true): Promise<string[]> {
  const items = await itemsOf(server);
  const results = await all<PipelineResult>(server, '/pipelines/work/results?status=all', 'results');
  const stats = (await server.get('/pipelines/work/stats')).body as PipelineStats;
  const lines = readFileSync(executions, 'utf8');
  return [
    ...itemFaults(items, ledger),
    ...uploadFaults(items, results, ledger),
    ...countFaults(items, results, stats),
    ...results.flatMap((result) => resultFaults(result, ledger)),
    ...wayFaults(results, lines, ledger),
    ...(isOneProcess ? executionsBeyond(results, lines, ledger) : []),
    ...(await eventFaults(server, items, ledger)),
  ];
}

function itemFaults(items: readonly ItemSummary[], { acknowledged, cancelled, uploads, doubtful, doubtfulUploads }: Ledger): string[] {
  const faults: string[] = [];
  const byId = new Map(items.map((item) => [item.id, item]));
  if (byId.size !== items.length) faults.push(`${items.length - byId.size} ids are there more than once`);
  for (const id of acknowledged) if (!byId.has(id)) faults.push(`${id} was acknowledged and is lost`);
  for (const { id, status, feedId } of items) {
    const isTold = acknowledged.has(id) || uploads.has(feedId) || doubtful.has(id) || doubtfulUploads.has(feedId);
    if (!isTold) faults.push(`${id} is there, and nobody was told so`);
    if (!['completed', 'failed', 'cancelled'].includes(status)) faults.push(`${id} is ${status}`);
  }
  for (const id of cancelled.keys()) {
    const status = byId.get(id)?.status;
    if (status !== 'cancelled') faults.push(`${id} was cancelled, and is ${status}`);
  }
  return faults;
}

/** Each line is there, once; of a feed in doubt, at most once. */
function uploadFaults(items: readonly ItemSummary[], results: readonly PipelineResult[], { uploads, doubtfulUploads }: Ledger): string[] {
  const counts = new Map<string, number>();
  for (const { feedId } of items) counts.set(feedId, (counts.get(feedId) ?? 0) + 1);
  const numbers = new Map<string, Set<number>>();
  const doubled: string[] = [];
  for (const { id, feedId, value } of results) {
    const { n } = (value ?? {}) as { n?: number };
    if ((!uploads.has(feedId) && !doubtfulUploads.has(feedId)) || n === undefined) continue;
    const seen = numbers.get(feedId) ?? new Set();
    if (seen.has(n)) doubled.push(`${id} is line ${n} of ${feedId}, which is there already`);
    numbers.set(feedId, seen.add(n));
  }
  const wrong = [...uploads].filter(([feedId, count]) => counts.get(feedId) !== count);
  return [...doubled, ...wrong.map(([feedId, count]) => `of ${count} lines of ${feedId} there are ${counts.get(feedId)}`)];
}

function countFaults(items: readonly ItemSummary[], results: readonly PipelineResult[], stats: PipelineStats): string[] {
  const faults: string[] = [];
  const ended = stats.itemsProcessed + stats.itemsFailed + stats.itemsCancelled;
  if (stats.itemsFed !== ended || stats.itemsInFlight !== 0 || ended < items.length) {
    faults.push(`${items.length} items, fed ${stats.itemsFed}, ended ${ended}, in flight ${stats.itemsInFlight}`);
  }
  const sequence = results.map((result) => result.sequenceId);
  if (results.length !== items.length || sequence.some((id, i) => i > 0 && id <= (sequence[i - 1] as number))) {
    faults.push(`${results.length} results of ${items.length} items, or not in feed order`);
  }
  return faults;
}

function resultFaults({ id, value, error }: PipelineResult, ledger: Ledger): string[] {
  const faults: string[] = [];
  if (error !== null) return faults;
  const expected = ledger.values.get(id);
  if (expected !== undefined && JSON.stringify(value) !== expected) faults.push(`${id} has become ${JSON.stringify(value)?.slice(0, 200)}`);
  const told = ledger.results.get(id);
  if (told?.result.error === null && JSON.stringify(told.result.value) !== JSON.stringify(value))
    faults.push(`${id} was answered as another`);
  const again = ledger.again.get(id);
  if (again !== undefined && !((value as { again: number }).again >= again))
    faults.push(`${id} was accepted the ${again}th time, and is ${JSON.stringify(value)}`);
  return faults;
}

/** Each completed item went through all stages from its first one on, and through none twice. */
function wayFaults(results: readonly PipelineResult[], lines: string, { targets }: Ledger): string[] {
  const passed = new Map<string, Set<string>>();
  for (const { what, id, stage } of executionsOf(lines)) {
    if (what === 'end') passed.set(id, (passed.get(id) ?? new Set()).add(stage));
  }
  return results.flatMap(({ id, value, error }) => {
    if (error !== null) return [];
    const ended = passed.get(runOf(id, value)) ?? new Set();
    const way = ((value as { way?: string[] } | null)?.way ?? [...ended]).filter((stage) => STAGES.includes(stage));
    const target = targets.get(id);
    const due = target === undefined ? STAGES : [target];
    const isWhole = due.every((stage) => way.includes(stage)) && way.every((stage) => ended.has(stage));
    return isWhole && new Set(way).size === way.length ? [] : [`${id} went ${way}, and ran in ${[...ended]}`];
  });
}

function executionsBeyond(results: readonly PipelineResult[], lines: string, ledger: Ledger): string[] {
  // A stage that comes and goes is another one each time. How a cancelled execution ended says nothing of what is stored.
  const looked = lines.split('\n').filter((line) => !line.includes('"stage":"Extra"'));
  const completed = new Set(results.filter(({ error }) => error === null).map(({ id, value }) => runOf(id, value)));
  const told = new Map<string, { life: number }>(ledger.cancelled);
  // What has failed may be asked for again.
  for (const [id, { result, life }] of ledger.results) if (result.error === null) told.set(id, { life });
  return executionFaults(looked.join('\n'), completed, told);
}

function executionsOf(lines: string): Execution[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Execution);
}

/** The name of an item's last run in the file of executions. */
function runOf(id: string, value: unknown): string {
  const { again = 0 } = (value ?? {}) as { again?: number };
  return again > 0 ? `${id}@${again}` : id;
}
