import type { RateLimit } from '../../../src/schemas/definition.ts';
import type { Random } from './random.ts';
import { hash } from './values.ts';

/** How a task behaves. Rates are probabilities of one call. */
export interface TaskPlan {
  name: string;
  timeoutSeconds?: number;
  concurrency?: number;
  rateLimit?: RateLimit;
  pace: 'sync' | 'microtask' | 'sleep' | 'mixed';
  longestMs: number;
  failRate: number;
  /** Never settles. Only where a timeout ends it. */
  hangRate: number;
  heedsSignal: boolean;
  spoilsInput: boolean;
  output: 'input' | 'fresh';
  /** Calls the pipeline's own methods while it runs. */
  meddleRate: number;
  computes: boolean;
}

export interface HookPlan {
  pace: 'sync' | 'sleep' | 'mixed';
  throwRate: number;
  hangRate: number;
}

export interface SkipPlan {
  pace: 'sync' | 'sleep';
  skipPercent: number;
  throwPercent: number;
}

export interface StagePlan {
  name: string;
  workers: number;
  tasks: TaskPlan[];
  retry: 'per_task' | 'per_stage';
  taskAttempts: number;
  stageAttempts: number;
  taskWaitSeconds: number;
  backoff: 'fixed' | 'exponential';
  maxWaitSeconds: number;
  jitter: number;
  taskTimeoutSeconds?: number;
  unpackArgs: boolean;
  taskConcurrencyLimits: Record<string, number>;
  taskRateLimits: Record<string, RateLimit>;
  queueCapacity: number;
  pull: boolean;
  skipIf?: SkipPlan;
  onSuccess?: HookPlan;
  onFailure?: HookPlan;
  onSkip?: HookPlan;
  pauseAfterFailures?: { count: number; withinSeconds: number };
}

export interface Scenario {
  stages: StagePlan[];
  collectResults: boolean;
  backlogCapacity: number;
  retention: { maxItems: number; maxAgeSeconds: number };
  hookTimeoutSeconds: number;
  priorities: (number | undefined)[];
  steps: number;
  items: number;
}

/** How long a predicate or hook may sleep. */
export const LONGEST_CALLBACK_MS = 200;

export function randomScenario(random: Random): Scenario {
  const isCalm = random.chance(0.2);
  const hasRates = random.chance(0.4);
  const scenario: Scenario = {
    stages: Array.from({ length: random.int(1, 4) }, (_, i) => randomStage(random, i, isCalm, hasRates)),
    collectResults: random.chance(0.9),
    backlogCapacity: random.pick([1, 2, 3, 5, 10, 100]),
    retention: random.pick([
      { maxItems: 1000, maxAgeSeconds: 1e6 },
      { maxItems: 1000, maxAgeSeconds: 1e6 },
      { maxItems: 1000, maxAgeSeconds: 1e6 },
      { maxItems: 3, maxAgeSeconds: 1e6 },
      { maxItems: 0, maxAgeSeconds: 1e6 },
      { maxItems: 1000, maxAgeSeconds: 1 },
    ]),
    hookTimeoutSeconds: random.pick([0.05, 0.5, 30]),
    priorities: random.pick<(number | undefined)[]>([[undefined], [undefined, 0, 1, 100, 200], [5, 5, 5, 0], [0, 1, 2, 3, 4, 5, 6]]),
    steps: random.int(20, 80),
    items: random.int(20, 120),
  };
  for (const stage of scenario.stages) {
    if (!random.chance(0.25)) continue;
    stage.pauseAfterFailures = { count: random.int(1, 4), withinSeconds: random.pick([0.05, 0.5, 10]) };
  }
  return scenario;
}

function randomStage(random: Random, index: number, isCalm: boolean, hasRates: boolean): StagePlan {
  const tasks = Array.from({ length: random.int(1, 3) }, (_, i) => randomTask(random, i, isCalm, hasRates));
  // The same task twice in a stage shares its limits.
  if (tasks.length > 1 && random.chance(0.1)) tasks[1] = { ...(tasks[0] as TaskPlan) };
  const named = (share: number): string[] => [...new Set(tasks.map((task) => task.name))].filter(() => random.chance(share));
  const optional = <K extends string, V>(name: K, share: number, make: () => V): { [P in K]?: V } =>
    random.chance(share) ? ({ [name]: make() } as { [P in K]?: V }) : {};
  const stage: StagePlan = {
    name: String.fromCharCode(65 + index),
    workers: random.int(1, 5),
    tasks,
    retry: random.pick(['per_task', 'per_stage']),
    taskAttempts: random.int(1, 4),
    stageAttempts: random.int(1, 4),
    taskWaitSeconds: random.pick([0, 0.01, 0.1, 0.25, 1]),
    backoff: random.pick(['fixed', 'exponential']),
    maxWaitSeconds: random.pick([0.15, 0.5, 5]),
    jitter: random.pick([0, 0, 0.3, 1]),
    ...optional('taskTimeoutSeconds', 0.3, () => random.pick([0.01, 0.05, 0.3])),
    unpackArgs: random.chance(0.2),
    taskConcurrencyLimits: Object.fromEntries(named(0.2).map((name) => [name, random.int(1, 3)])),
    taskRateLimits: Object.fromEntries(named(hasRates ? 0.3 : 0).map((name) => [name, randomRate(random)])),
    queueCapacity: random.pick([1, 1, 2, 3, 10]),
    pull: index > 0 && random.chance(0.2),
    ...optional('skipIf', 0.25, () => ({
      pace: random.pick(['sync', 'sleep'] as const),
      skipPercent: random.int(0, 60),
      throwPercent: random.int(0, 20),
    })),
    ...optional('onSuccess', 0.25, () => randomHook(random)),
    ...optional('onFailure', 0.4, () => randomHook(random)),
    ...optional('onSkip', 0.3, () => randomHook(random)),
  };
  for (const task of tasks) if (timeoutMs(stage, task) === undefined) task.hangRate = 0;
  return stage;
}

function randomTask(random: Random, index: number, isCalm: boolean, hasRates: boolean): TaskPlan {
  return {
    name: `task-${index}`,
    ...(random.chance(0.2) ? { timeoutSeconds: random.pick([0.02, 0.2]) } : {}),
    ...(random.chance(0.1) ? { concurrency: random.int(1, 3) } : {}),
    ...(hasRates && random.chance(0.15) ? { rateLimit: randomRate(random) } : {}),
    pace: random.pick(['sync', 'microtask', 'sleep', 'sleep', 'mixed']),
    longestMs: random.pick([1, 20, 100, 400]),
    failRate: isCalm ? 0 : random.pick([0, 0.1, 0.3, 0.6]),
    hangRate: random.pick([0, 0.1]),
    heedsSignal: random.chance(0.6),
    spoilsInput: random.chance(0.4),
    output: random.pick(['input', 'fresh']),
    meddleRate: random.pick([0, 0, 0.03]),
    // A start is stamped before a task that computes at the same instant holds it up: rates are checked without.
    computes: !hasRates && random.chance(0.1),
  };
}

function randomHook(random: Random): HookPlan {
  return { pace: random.pick(['sync', 'sleep', 'mixed']), throwRate: random.pick([0, 0.3]), hangRate: random.pick([0, 0.1]) };
}

export function randomRate(random: Random): RateLimit {
  return { limit: random.int(1, 3), perSeconds: random.pick([0.05, 0.1, 0.5]) };
}

/** What `skipIf` answers for a value: it depends on the value alone, so that the model knows it too. */
export function skipAnswer(plan: SkipPlan | undefined, shown: string): 'skip' | 'throw' | 'run' {
  if (plan === undefined) return 'run';
  const percent = hash(shown) % 100;
  if (percent < plan.skipPercent) return 'skip';
  return percent < plan.skipPercent + plan.throwPercent ? 'throw' : 'run';
}

export function timeoutMs(stage: StagePlan, task: TaskPlan): number | undefined {
  const seconds = stage.taskTimeoutSeconds ?? task.timeoutSeconds;
  return seconds === undefined ? undefined : seconds * 1000;
}

export function maxAttempts(stage: StagePlan): number {
  return stage.retry === 'per_stage' ? stage.stageAttempts : stage.taskAttempts;
}
