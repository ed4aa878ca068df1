import { Broken } from './ledger.ts';
import { NO_FAULTS } from './link.ts';
import { LEASE_MS, type Place, World } from './world.ts';

const TROUBLED_MS = 8 * LEASE_MS;
/** Until what was sent before has arrived, or never will. */
const SETTLES_MS = 8000;
const CALM_MS = 6 * LEASE_MS;
/** A claim's jitter, questions under way, and the host's start. */
const TAKEOVER_MS = LEASE_MS + 1000;

export interface Run {
  owners: number;
  writes: number;
  lost: number;
  steps: string[];
}

/** Nodes under random nemeses, then left alone. Throws {@link Broken} when a rule does not hold. */
export async function simulate(seed: number): Promise<Run> {
  const nodes = 1 + (seed % 4);
  const world = new World(seed, nodes);
  const steps: string[] = [];
  try {
    for (const place of world.places) world.start(place);
    const losesTail = seed % 7 === 0;
    for (const end = world.now + TROUBLED_MS; world.now < end; ) {
      steps.push(`${Math.round(world.now)}: ${nemesis(world, losesTail)}`);
      await world.advance(2500 * world.random() ** 2);
    }
    heal(world);
    steps.push(`${Math.round(world.now)}: healed`);
    await world.advance(SETTLES_MS);
    await expectCalm(world);
    return runOf(world, steps);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Broken(`seed ${seed} with ${nodes} nodes: ${error.message}\n${steps.join('\n')}`, { cause: error });
  }
}

function runOf({ ledger }: World, steps: string[]): Run {
  const owners = ledger.committed.filter(({ kind }) => kind === 'own').length;
  return { owners, writes: ledger.ids.length, lost: ledger.lost.size, steps };
}

function heal(world: World): void {
  world.faults = NO_FAULTS;
  world.unable = 0;
  world.server.isStalled = false;
  world.isHealed = true;
  for (const place of world.places) {
    world.start(place);
    if (place.process === null) continue;
    place.process.link.isCut = false;
    place.process.clock.wake();
  }
}

async function expectCalm(world: World): Promise<void> {
  for (const end = world.now + TAKEOVER_MS; world.serving().length === 0; ) {
    if (world.now > end) throw new Broken(`nobody serves ${TAKEOVER_MS} ms after the faults`);
    await world.advance(50);
  }
  const { epoch } = world.ledger;
  const [server] = world.serving();
  for (const end = world.now + CALM_MS; world.now < end; ) {
    await world.advance(200);
    const now = world.serving();
    if (world.ledger.epoch !== epoch) throw new Broken(`the ownership went over without a reason, from ${epoch} to ${world.ledger.epoch}`);
    if (now.length !== 1 || now[0] !== server) throw new Broken(`those who serve are ${now.join()}, not ${server}`);
  }
  world.ledger.expectAllThere();
  const { ids } = world.ledger;
  for (const { name, disk, process } of world.running) {
    const { node } = process;
    if (node.trouble !== null && !node.trouble.startsWith('this node cannot own')) throw new Broken(`${name} has trouble: ${node.trouble}`);
    if (node.owner?.node !== server) throw new Broken(`${name} takes ${node.owner?.node} for the owner`);
    // The newest may be under way.
    const known = ids.slice(0, disk.ids.length);
    if (ids.length - disk.ids.length > 2 || known.join() !== disk.ids.join())
      throw new Broken(`the file of ${name} is not that of the log`);
  }
}

/** Does something bad, or ends it. */
function nemesis(world: World, losesTail: boolean): string {
  const { random } = world;
  const place = world.places[Math.floor(random() * world.places.length)] as Place;
  const { name, process } = place;
  const kind = Math.floor(random() * 9);
  if (process === null) {
    if (place.isLeaving) return `${name} still leaves`;
    if (random() < 0.3) place.disk.powerCut(1 + Math.floor(3 * random()));
    world.start(place);
    return `${name} starts`;
  }
  switch (kind) {
    case 0:
    case 1:
      if (process.clock.isStopped) process.clock.wake();
      else process.clock.stop();
      return `${name} is ${process.clock.isStopped ? 'stopped' : 'woken'}`;
    case 2:
      world.kill(place);
      return `${name} is killed`;
    case 3:
      // Who is stopped hears no signal.
      if (process.clock.isStopped) process.clock.wake();
      world.leave(place);
      return `${name} leaves`;
    case 4:
      process.link.isCut = !process.link.isCut;
      return `${name} is ${process.link.isCut ? 'cut off' : 'connected'}`;
    case 5: {
      world.faults = { latencyMs: 1 + 200 * random() ** 3, lost: 0.4 * random() ** 2, late: 0.2 * random() ** 2 };
      return `faults ${JSON.stringify(world.faults)}`;
    }
    case 6: {
      const isStalled = random() < 0.5;
      world.server.isStalled = isStalled;
      return isStalled ? 'the log stalls' : 'the log answers';
    }
    case 7:
      world.unable = random() < 0.5 ? 0 : random();
      return `${world.unable} of all hosts cannot be made`;
    default: {
      if (!losesTail || random() < 0.5) return 'nothing';
      const count = 1 + Math.floor(4 * random());
      world.loseTail(count);
      return `the log loses ${count} entries`;
    }
  }
}
