/** The events of all lives, as they are told in the end. */
import type { ItemSummary } from '../../src/schemas/item.ts';
import type { ServerProcess } from '../e2e/server.ts';
import type { Received } from '../http/sse-harness.ts';
import type { Ledger } from './ledger.ts';
import { EVENTS, essenceOf } from './operators.ts';

/** Streams in a row that end without an event. */
const MOST_IN_VAIN = 20;

/**
 * Ids without a gap or a repeat from the first on, nothing told otherwise than a follower was told it, and one end for each item: after an
 * end nothing comes, unless the item had failed, or was asked to run again.
 */
export async function eventFaults(server: ServerProcess, items: readonly ItemSummary[], ledger: Ledger): Promise<string[]> {
  const asOf = String((await server.get('/pipelines/work/stats')).body.asOf);
  const numberOf = (id: string): number => Number(id.slice(id.lastIndexOf('-') + 1));
  const newest = numberOf(asOf);
  // The statistics name the last event that was on disk when they were made; one more can have come since.
  const faults: string[] = [];
  const events: Received[] = [];
  // As a client does: a node may close a stream at any time, and its reader goes on at the last event that it has seen.
  let position = asOf.replace(/-\d+$/, '-0');
  for (let inVain = 0; numberOf(position) < newest; ) {
    const stream = await server.events(EVENTS, { 'last-event-id': position });
    await stream.until(() => stream.closed || numberOf(stream.events.at(-1)?.id ?? '') >= newest);
    stream.destroy();
    if (stream.named('gap').length > 0) faults.push('events are missing');
    const read = stream.events.filter(({ id }) => id !== undefined);
    for (const event of read) events.push(event);
    position = read.at(-1)?.id ?? position;
    inVain = read.length > 0 ? 0 : inVain + 1;
    if (inVain > MOST_IN_VAIN) throw new Error(`${inVain} streams after event ${position} of ${newest} were closed before they told any`);
  }
  const ids = events.map(({ id = '' }) => numberOf(id));
  if (ids.length < newest || ids.some((id, i) => id !== i + 1)) faults.push(`${ids.length} events of ${newest}, or not in order`);

  const last = new Map<string, { status: string; final: boolean }>();
  for (const [i, { event, data: text, id }] of events.entries()) {
    const data = JSON.parse(text);
    const [seen, told] = [ledger.events[i], `${id} ${essenceOf(event, data)}`];
    if (seen !== undefined && seen !== told) faults.push(`event ${i + 1} was "${seen}", and is "${told}"`);
    if (event !== 'status') continue;
    const { itemId, status, final } = data as { itemId: string; status: string; final: boolean };
    const before = last.get(itemId);
    if (before?.final === true && before.status !== 'failed' && !(status === 'queued' && ledger.again.has(itemId))) {
      faults.push(`${itemId} was ${before.status}, and then ${status}`);
    }
    last.set(itemId, { status, final });
  }
  for (const { id, status } of items) {
    const end = last.get(id);
    if (end?.final !== true || (end.status !== status && !(end.status === 'skipped' && status === 'completed')))
      faults.push(`${id} is ${status}, its last event is ${JSON.stringify(end)}`);
  }
  return faults;
}
