import { expect } from 'vitest';
import { LOOKS } from '../told.ts';
import { TROUBLE, type World } from './world.ts';

const MOVES = {
  feed: 14,
  feedUnderKey: 4,
  advance: 20,
  pause: 1,
  resume: 3,
  pauseStage: 1,
  resumeStage: 3,
  cancel: 3,
  retry: 3,
  tune: 3,
  put: 2,
  look: 14,
  disk: 5,
  crash: 6,
  stop: 3,
  /** There is no log. */
  loseTail: 0,
  stall: 0,
  usurp: 0,
};
/** And what can become of a log: it loses its end, it does not answer, another node owns. */
const MOVES_ON_A_LOG = { ...MOVES, loseTail: 1, stall: 2, usurp: 1.5 };

/** Does something at random. */
export async function move(world: World): Promise<void> {
  const { random, p, clock } = world;
  const what = random.weighted(world.lives.log === undefined ? MOVES : MOVES_ON_A_LOG);
  world.steps.push(what);
  const stages = p.definition.stages.map(({ name }) => name);
  switch (what) {
    case 'feed': {
      const ids = world.newIds(random.int(1, 12));
      const items = ids.map((id) => ({ id, value: { n: id } }));
      const request = { priority: random.pick([1, 100, 100, 200]), ...(random.chance(0.2) ? { targetStage: random.pick(stages) } : {}) };
      // The definition is shown as stored: a stage that it still lists can be gone by a change that is on its way to the disk.
      world.ask(p.feed(items, request), ['unknown-stage', ...TROUBLE], () =>
        world.expected.note(({ acknowledged }) => ids.forEach((id) => void acknowledged.add(id))),
      );
      break;
    }
    case 'feedUnderKey': {
      // The same key asks for the same again, whether it was answered or not: nothing is doubled.
      const key = `k${random.int(1, 5)}`;
      const idempotency = { key, request: 'feed', body: key };
      world.ask(p.feed([{ n: key }, { n: key }], { idempotency }), TROUBLE, ({ ids = [] }) => {
        const before = world.expected.now.keys.get(key);
        if (before !== undefined) expect(ids).toEqual(before);
        world.expected.note(({ keys, acknowledged }) => {
          keys.set(key, ids);
          for (const id of ids) acknowledged.add(id);
        });
      });
      break;
    }
    case 'advance':
      await clock.advance(random.pick([0, 1, 10, 50, 300]));
      break;
    case 'cancel':
    case 'retry': {
      const id = random.pick([...world.expected.now.acknowledged, 'i1']);
      const asked = what === 'cancel' ? p.cancelItem(id) : p.retryItem(id);
      if (what === 'retry') world.expected.note(({ told }) => told.mayGoOn(id));
      world.ask(asked, ['item-not-found', 'item-final', 'item-not-final', 'draining', ...TROUBLE]);
      break;
    }
    case 'pause':
    case 'resume':
      world.ask(p[what](), ['invalid-state', ...TROUBLE]);
      break;
    case 'pauseStage':
    case 'resumeStage':
      world.ask(p[what](random.pick(stages)), ['invalid-state', 'unknown-stage', ...TROUBLE]);
      break;
    case 'tune':
      world.ask(p.tune(random.pick(stages), { workers: random.int(1, 4) }), ['unknown-stage', ...TROUBLE]);
      break;
    case 'put':
      world.ask(world.life.host.put('p', world.definition), TROUBLE);
      break;
    case 'look': {
      // In any turn, however far the disk has come.
      const id = random.pick([...world.expected.now.acknowledged, `i${random.int(1, world.count + 1)}`]);
      for (const look of random.chance(0.5) ? LOOKS : [random.pick(LOOKS)]) {
        world.ask(look(p, id), ['item-not-found', ...TROUBLE], (note) => world.expected.note(({ told }) => note(told)));
      }
      break;
    }
    case 'disk':
      if (world.isIll) await world.heal();
      else world.fallIll();
      world.isIll = !world.isIll;
      break;
    case 'loseTail':
      world.loseTail();
      break;
    case 'stall':
      world.lives.log?.stall();
      break;
    case 'usurp':
      await world.lives.log?.usurp();
      break;
    case 'crash':
    case 'stop':
      await world.end(what);
      return;
  }
  // Sometimes the next move comes before anything of this one is stored.
  if (random.chance(0.7)) {
    await clock.settle();
    world.look();
  }
}
