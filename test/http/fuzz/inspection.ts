import { Follower } from './follower.ts';
import { checkEvents, checkPicture, checkResults, checkStats, takePicture } from './invariants.ts';
import type { KnownPipeline } from './known.ts';
import type { Reading } from './reading.ts';
import { encode } from './texts.ts';

type Say = (fault: string) => void;

/** How long a pipeline that hands nothing out may take until nothing moves in it. */
const REST_SECONDS = 60;
/** How long everything that is left may take to come to its end. */
const END_SECONDS = 120;

/** Holds the pipeline, compares all that can be seen of it, and lets it go on. */
export async function inspect(reading: Reading, known: KnownPipeline, following: Promise<Follower>, say: Say): Promise<void> {
  checkStats(await reading.stats(known.id), known.wasRedefined, say);
  const wasRunning = (await reading.state(known.id)) === 'running';
  if (wasRunning) await reading.ask('POST', `/pipelines/${encode(known.id)}/pause`);
  await compare(reading, known, await following, say);
  if (wasRunning) await reading.ask('POST', `/pipelines/${encode(known.id)}/resume`);
}

/** Whatever goes on, because it drains or can't be held: what is compared is as of one moment. */
async function compare(reading: Reading, known: KnownPipeline, follower: Follower, say: Say): Promise<void> {
  const began = performance.now();
  for (;;) {
    const faults: string[] = [];
    const picture = await takePicture(reading, known.id, REST_SECONDS);
    const { asOf } = picture.stats;
    checkPicture(picture, known, (fault) => faults.push(fault));
    await checkResults(reading, picture, known, (fault) => faults.push(fault));
    const isThere = await follower.reached(asOf);
    checkEvents(follower, picture, known, (fault) => faults.push(fault));
    const after = await reading.stats(known.id);
    checkStats(after, known.wasRedefined, say);
    if (isThere && after.asOf === asOf) {
      for (const fault of faults) say(fault);
      return compareReaders(reading, known, follower, asOf, say);
    }
    if (performance.now() - began > REST_SECONDS * 1000) throw new Error(`it does not come to rest: ${JSON.stringify(after.statusCounts)}`);
  }
}

/** Whoever comes later reads the same events. */
async function compareReaders(reading: Reading, known: KnownPipeline, follower: Follower, asOf: string, say: Say): Promise<void> {
  for (const fault of follower.faults.splice(0)) say(fault);
  const later = await Follower.open(reading.port, known.id, asOf);
  await later.reached(asOf);
  for (const fault of later.faults) say(`read later: ${fault}`);
  const difference = follower.differsFrom(later);
  if (difference !== null) say(`who reads the events later reads another one: ${difference}`);
  later.close();
}

/** Sets all going that stands still, and waits: every item has to come to exactly one end. */
export async function settle(reading: Reading, known: KnownPipeline, following: Promise<Follower>, say: Say): Promise<void> {
  const at = `/pipelines/${encode(known.id)}`;
  const state = await reading.state(known.id);
  if (state === 'created' || state === 'stopped') await reading.ask('POST', `${at}/start`);
  await reading.ask('POST', `${at}/resume`);
  for (const stage of known.stages) await reading.ask('POST', `${at}/stages/${encode(stage)}/resume`);
  const { status, body } = await reading.ask('POST', `${at}/join`, { timeoutSeconds: END_SECONDS });
  if (status !== 200) say(`the drain was answered ${status}: ${body.subarray(0, 2000)}`);
  const picture = await takePicture(reading, known.id, REST_SECONDS);
  const unfinished = picture.items.rows.filter(({ status }) => !['completed', 'failed', 'cancelled'].includes(status));
  if (unfinished.length > 0) say(`${unfinished.length} items never end, such as ${JSON.stringify(unfinished[0])}`);
  await compare(reading, known, await following, say);
  const gone = await reading.ask('DELETE', `${at}?mode=force`);
  if (gone.status !== 204) say(`it could not be removed: ${gone.status}`);
}
