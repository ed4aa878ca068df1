import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import { Random } from '../engine/simulation/random.ts';

/*
 * Random moves on a pipeline whose definition changes again and again, all decided by a seed before the first of them is made: the same moves can
 * be made with and without restarts.
 */

export interface Definition {
  id: string;
  description: string;
  stages: StageDefinitionInput[];
}

/** How it comes to rest before a deployment: so that no worker has an item. */
export type Rest = 'force' | 'graceful' | 'pause' | 'idle';

export type Move =
  | { do: 'feed'; ids: string[]; priority: number; target: number | null }
  | { do: 'advance'; ms: number }
  | { do: 'pause' | 'resume' | 'start' | 'retryFailed' | 'go' }
  | { do: 'pauseStage' | 'resumeStage'; stage: number }
  | { do: 'cancel' | 'retry'; item: number; from: number | null }
  | { do: 'redefine'; definition: Definition }
  | { do: 'deploy'; rest: Rest; how: 'stop' | 'crash'; by: 'put' | 'file'; definition: Definition; retried: number | null };

const NAMES = ['A', 'B', 'C', 'D', 'E', 'F'];
const TASKS = ['t1', 't2', 't3', 't4', 't5', 't6', 't7'];
const MOST_STAGES = 4;
const MOST_TASKS = 4;

/** A pause between two attempts that is over before the pipeline is idle, and one that outlasts most moves. */
const WAITS = [0.02, 0.02, 3600];

export function scenarioOf(seed: number): { first: Definition; moves: Move[] } {
  const random = new Random(seed);
  let count = 0;
  let version = 0;
  const use = () => (random.chance(0.2) ? { task: random.pick(TASKS), with: { v: random.int(1, 2) } } : random.pick(TASKS));
  const stage = (name: string): StageDefinitionInput => ({
    name,
    // Each item fares as if it were alone: what becomes of it hangs on no order.
    workers: 40,
    queueCapacity: 1000,
    tasks: Array.from({ length: random.int(2, MOST_TASKS) }, use),
    retry: random.pick(['per_task', 'per_task', 'per_task', 'per_stage'] as const),
    taskAttempts: random.int(1, 3),
    stageAttempts: random.int(1, 3),
    taskWaitSeconds: random.pick(WAITS),
  });
  const define = (stages: StageDefinitionInput[]): Definition => ({ id: 'p', description: `version ${++version}`, stages });
  const first = define(NAMES.slice(0, random.int(1, 3)).map(stage));
  let now = first;

  const changed = (): Definition => {
    let stages = [...now.stages];
    for (let changes = random.int(2, 4); changes > 0; changes--) stages = change(random, stages, stage, use);
    now = define(stages);
    return now;
  };
  const feed = (): Move => ({
    do: 'feed',
    ids: Array.from({ length: random.int(1, 4) }, () => `i${++count}`),
    priority: random.pick([1, 100, 100]),
    target: random.chance(0.2) ? random.int(0, MOST_STAGES) : null,
  });
  const item = (): number => random.int(1, Math.max(1, count));
  const other = (): Move => {
    const what = random.weighted({
      feed: 3,
      advance: 6,
      retry: 2,
      retryFailed: 1,
      redefine: 2,
      pauseStage: 2,
      resumeStage: 1,
      cancel: 0.3,
      pause: 0.3,
    });
    switch (what) {
      case 'feed':
        return feed();
      case 'advance':
        return { do: 'advance', ms: random.pick([0, 10, 30, 60, 150, 5000, 3_700_000]) };
      case 'retry':
      case 'cancel':
        return { do: what, item: item(), from: random.chance(0.2) ? random.int(0, MOST_STAGES) : null };
      case 'redefine':
        return { do: 'redefine', definition: changed() };
      case 'pauseStage':
      case 'resumeStage':
        return { do: what, stage: random.int(0, MOST_STAGES) };
      default:
        return { do: what };
    }
  };
  const deploy = (): Move => ({
    do: 'deploy',
    rest: random.pick(['force', 'force', 'force', 'force', 'graceful', 'pause', 'idle']),
    how: random.pick(['stop', 'crash']),
    by: random.pick(['put', 'file']),
    definition: changed(),
    retried: random.chance(0.3) ? item() : null,
  });

  const moves: Move[] = [];
  for (let deployments = random.int(1, 3); deployments > 0; deployments--) {
    for (let others = random.int(0, 5); others > 0; others--) moves.push(other());
    // Most are in the middle of a stage when it comes.
    moves.push(feed(), { do: 'advance', ms: random.int(10, 90) });
    moves.push(feed(), { do: 'advance', ms: random.int(10, 90) }, deploy());
    if (random.chance(0.8)) moves.push({ do: 'go' });
  }
  return { first, moves };
}

/** The stages with one thing changed. */
function change(
  random: Random,
  before: StageDefinitionInput[],
  stage: (name: string) => StageDefinitionInput,
  use: () => StageDefinitionInput['tasks'][number],
): StageDefinitionInput[] {
  const stages = [...before];
  const at = random.int(0, stages.length - 1);
  const one = stages[at] as StageDefinitionInput;
  const free = NAMES.filter((name) => stages.every((other) => other.name !== name));
  const what = random.weighted({ add: 2, remove: 1, move: 3, rename: 1, retry: 1, tasks: 6 });
  switch (what) {
    case 'add':
      if (stages.length < MOST_STAGES) stages.splice(random.int(0, stages.length), 0, stage(random.pick(free)));
      return stages;
    case 'remove':
      if (stages.length > 1) stages.splice(at, 1);
      return stages;
    case 'move':
      stages.splice(at, 1);
      stages.splice(random.int(0, stages.length), 0, one);
      return stages;
    case 'rename':
      stages[at] = { ...one, name: random.pick(free) };
      return stages;
    case 'retry':
      stages[at] = { ...one, retry: one.retry === 'per_task' ? 'per_stage' : 'per_task', taskWaitSeconds: random.pick(WAITS) };
      return stages;
    case 'tasks':
      stages[at] = { ...one, tasks: otherTasks(random, one.tasks, use) };
      return stages;
  }
}

function otherTasks<T>(random: Random, before: readonly T[], use: () => T): T[] {
  const tasks = [...before];
  const at = random.int(0, tasks.length - 1);
  switch (random.weighted({ add: 3, remove: 3, move: 2, replace: 1 })) {
    case 'add':
      if (tasks.length < MOST_TASKS) tasks.splice(random.int(0, tasks.length), 0, use());
      break;
    case 'remove':
      if (tasks.length > 1) tasks.splice(at, 1);
      break;
    case 'move':
      tasks.splice(random.int(0, tasks.length - 1), 0, ...tasks.splice(at, 1));
      break;
    case 'replace':
      tasks[at] = use();
  }
  return tasks;
}
