/** Who works with the pipeline itself while its service is killed: what an operator was answered holds too. */
import { setTimeout as after } from 'node:timers/promises';
import type { Random } from '../engine/simulation/random.ts';
import { connect, type Received, type StreamClient } from '../http/sse-harness.ts';
import type { Clients } from './ledger.ts';
import { shapeOf } from './work.ts';

/** Works until it is over, and leaves the pipeline running. */
type Operator = (clients: Clients, random: Random) => Promise<void>;

const WORK = '/pipelines/work';
export const EVENTS = `${WORK}/events?types=status,task,result,pipeline,feed`;

export const OPERATORS: Record<string, Operator> = {
  async pauses(clients, random) {
    while (await clients.goesOn()) {
      const at = random.pick([WORK, `${WORK}/stages/One`, `${WORK}/stages/Two`]);
      for (const [action, state] of [
        ['pause', 'paused'],
        ['resume', 'running'],
      ] as const) {
        // A repeat of what was done before the answer was lost is a 409.
        const answer = await clients.ask(`${at}/${action}`, {});
        clients.expect(`${action} of ${at}`, answer, 200, 409);
        await after(random.int(0, 80));
        const { body, isSure } = await clients.ask(WORK, { method: 'GET' });
        if (at === WORK && isSure && body.state !== state) clients.ledger.surprises.push(`after ${action} the pipeline is ${body.state}`);
      }
      await after(random.int(100, 400));
    }
  },

  async tunes(clients, random) {
    while (await clients.goesOn()) {
      const stage = `${WORK}/stages/${random.pick(['One', 'Two'])}`;
      const workers = random.int(1, 6);
      const queueCapacity = random.int(5, 50);
      const answer = await clients.ask(stage, { method: 'PATCH', body: { workers, queueCapacity } });
      clients.expect('tuning', answer, 200);
      await after(random.int(0, 200));
      const { body } = await clients.ask(stage, { method: 'PATCH', body: {} });
      if (body.effective?.workers !== workers || body.effective?.queueCapacity !== queueCapacity) {
        clients.ledger.surprises.push(`${workers} workers were tuned and ${queueCapacity} places, it is ${JSON.stringify(body)}`);
      }
      if (random.chance(0.3)) clients.expect('untuning', await clients.ask(stage, { method: 'DELETE' }), 200);
    }
  },

  async cancels(clients, random) {
    while (await clients.goesOn()) {
      await after(random.int(5, 60));
      const { acknowledged, cancelled } = clients.ledger;
      // One of the last: the others have ended.
      const id = [...acknowledged].at(-random.int(1, 60));
      if (id === undefined || id.startsWith('again-')) continue;
      const answer = await clients.ask(`${WORK}/items/${encodeURIComponent(id)}`, { method: 'DELETE' });
      if (!clients.expect(`cancelling ${id}`, answer, 200, 409)) continue;
      if (answer.status === 200) cancelled.set(id, { life: clients.ledger.life });
    }
  },

  async retries(clients, random) {
    while (await clients.goesOn()) {
      await after(random.int(50, 300));
      clients.expect('retrying all that failed', await clients.ask(`${WORK}/retry`, { body: {} }), 200);
    }
  },

  /** Stages come, go and change places, with items in all of them. */
  async redefinitions(clients, random) {
    while (await clients.goesOn()) {
      const shape = shapeOf(random.int(0, 100));
      clients.expect('a new definition', await clients.ask(WORK, { method: 'PUT', body: shape }), 200);
      await after(random.int(0, 300));
      const { body } = await clients.ask(WORK, { method: 'GET' });
      const stages = JSON.stringify(body.definition?.stages?.map(({ name }: { name: string }) => name));
      const asked = JSON.stringify(shape.stages.map(({ name }) => name));
      if (stages !== asked) clients.ledger.surprises.push(`${asked} was put, it is ${stages}`);
    }
  },

  /** Pipelines that come and go beside the other. */
  async creations(clients, random) {
    for (let n = 0; await clients.goesOn(); n++) {
      const id = `passing-${n}`;
      const definition = { id, stages: [{ name: 'S', workers: 2, tasks: ['noted'] }] };
      const created = await clients.ask('/pipelines', { body: definition });
      clients.expect('creating a pipeline', created, ...(created.attempt === 0 ? [201] : [201, 409]));
      const items = Array.from({ length: random.int(1, 20) }, (_, i) => ({ id: `${id}-${i}`, value: { n: i } }));
      clients.expect('feeding it', await clients.ask(`/pipelines/${id}/feed`, { body: { items } }), 202);
      const { body } = await clients.ask(`/pipelines/${id}/items?limit=1000`, { method: 'GET' });
      if (body.items?.length !== items.length) clients.ledger.surprises.push(`${id} has ${body.items?.length} items of ${items.length}`);
      const mode = random.pick(['drain', 'force']);
      const removed = await clients.ask(`/pipelines/${id}?mode=${mode}`, { method: 'DELETE' });
      clients.expect('removing it', removed, ...(removed.attempt === 0 ? [204] : [204, 404]));
      clients.expect('looking for it', await clients.ask(`/pipelines/${id}`, { method: 'GET' }), 404);
      await after(random.int(20, 200));
    }
  },

  /** Reads events across all restarts, from the last one it has on. */
  async follows(clients) {
    const { events, surprises } = clients.ledger;
    /** The place before all events. */
    let beginning: string | null = null;
    const take = ({ event, data, id = '' }: Received): void => {
      if (event === 'gap') surprises.push(`events are missing after ${events.length}: ${data}`);
      const dash = id.lastIndexOf('-');
      if (dash === -1) return;
      if (Number(id.slice(dash + 1)) !== events.length + 1) surprises.push(`event ${id} comes after ${events.length}`);
      else events.push(`${id} ${essenceOf(event, JSON.parse(data))}`);
    };
    while (await clients.goesOn()) {
      if (beginning === null) {
        const { status, body } = await clients.ask(`${WORK}/stats`, { method: 'GET' });
        if (status === 200) beginning = String(body.asOf).replace(/-\d+$/, '-0');
      }
      const last = events.at(-1)?.split(' ')[0] ?? beginning;
      const url = clients.place();
      const stream = url === null || last === null ? null : await connectTo(url, { 'last-event-id': last }).catch(() => null);
      while (stream !== null && !stream.closed && !clients.isOver && !clients.isPaused) {
        await after(20);
        for (const received of stream.events.splice(0)) take(received);
      }
      stream?.destroy();
      await after(10);
    }
  },
};

function connectTo(url: string, headers: Record<string, string>): Promise<StreamClient> {
  const { hostname, port } = new URL(url);
  return connect(Number(port), EVENTS, { host: hostname, headers });
}

/** Results and durations may be told otherwise later; what happened to whom may not. */
export function essenceOf(type: string, data: Record<string, unknown>): string {
  if (type === 'result') return `result ${data.id}`;
  if (type === 'task') return `${data.itemId} ${data.stage} ${data.taskName} ${data.eventType} ${data.attempt}`;
  if (type === 'status') return `${data.itemId} ${data.stage} ${data.status} ${data.final} ${data.timestamp}`;
  return `${data.change} ${data.state} ${data.stage}`;
}
