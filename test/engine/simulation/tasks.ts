import { PermanentError, RetryAfterError } from '../../../src/engine/contract/errors.ts';
import type { Hook, Predicate, TaskContext, TaskDeclaration } from '../../../src/engine/contract/task.ts';
import type { StageOptions } from '../../../src/engine/definition/stage-spec.ts';
import type { Execution, HookKind } from './life.ts';
import type { Random } from './random.ts';
import { type HookPlan, LONGEST_CALLBACK_MS, type SkipPlan, type StagePlan, skipAnswer, type TaskPlan } from './scenario.ts';
import { randomValue, show, spoil } from './values.ts';
import type { Watch } from './watch.ts';
import type { World } from './world.ts';

/** Calls the pipeline from inside a task or hook. */
export type Meddle = (itemId: string) => void;

interface Surroundings {
  world: World;
  watch: Watch;
  meddle: Meddle;
}

/** A stage of the pipeline whose tasks do what the scenario plans, and report what they see. */
export function createStage(around: Surroundings, plan: StagePlan, index: number): StageOptions {
  const { tasks, skipIf, onSuccess, onFailure, onSkip, ...rest } = plan;
  const hook = (kind: HookKind, hookPlan: HookPlan | undefined): Partial<Record<HookKind, Hook>> =>
    hookPlan === undefined ? {} : { [kind]: createHook(around, kind, index, hookPlan) };
  return {
    ...rest,
    tasks: tasks.map((task) => createTask(around, plan, task, index)),
    ...(skipIf === undefined ? {} : { skipIf: createPredicate(around.world, skipIf) }),
    ...hook('onSuccess', onSuccess),
    ...hook('onFailure', onFailure),
    ...hook('onSkip', onSkip),
  };
}

function createTask(around: Surroundings, stage: StagePlan, plan: TaskPlan, index: number): TaskDeclaration {
  const { world, watch, meddle } = around;
  const random = world.behaviour;
  const run = (...args: unknown[]): unknown => {
    const ctx = args.pop() as TaskContext;
    world.read();
    const isSpread = stage.unpackArgs && world.ledger.lives.get(ctx.itemId)?.taskValue.startsWith('[') === true;
    const input = isSpread ? args : args[0];
    const execution = watch.onCall(index, plan.name, show(input), ctx);
    if (execution === undefined) return undefined;
    if (plan.spoilsInput) spoil(input);
    if (random.chance(plan.meddleRate)) meddle(ctx.itemId);
    if (random.chance(0.1)) ctx.setStatus(`at ${world.clock.monotonic()}`, { minIntervalSeconds: random.pick([0, 1]) });
    if (random.chance(0.05)) ctx.progress(random.next());
    return perform(world, plan, execution, ctx, input);
  };
  const { name, timeoutSeconds, concurrency, rateLimit } = plan;
  return {
    name,
    kind: 'task',
    description: '',
    paramsSchema: null,
    parseParams: (given) => given,
    run,
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
  };
}

function perform(world: World, plan: TaskPlan, execution: Execution, ctx: TaskContext, input: unknown): unknown {
  const random = world.behaviour;
  const pace = plan.pace === 'mixed' ? random.pick(['sync', 'microtask', 'sleep'] as const) : plan.pace;
  const settle = (): unknown => {
    const fails = random.chance(plan.failRate);
    const value = fails ? undefined : plan.output === 'input' ? input : randomValue(random);
    const error = fails ? randomError(random, ctx) : undefined;
    execution.settled = fails ? 'error' : 'value';
    execution.shown = show(value);
    execution.error = error;
    if (world.ledger.tasks.ignoring.delete(execution) && ctx.setStatus('too late')) {
      world.report(4, `an attempt of ${plan.name} for ${ctx.itemId} that was given up still sets a status`);
    }
    if (fails) throw error;
    return value;
  };
  if (random.chance(plan.hangRate)) return hang(execution, plan, ctx, world);
  if (pace === 'sync') {
    if (plan.computes && random.chance(0.5)) world.clock.compute(random.int(1, 10));
    return settle();
  }
  if (pace === 'microtask') {
    // biome-ignore lint/suspicious/noThenProperty: a task may answer with any thenable
    if (random.chance(0.2)) return { then: (resolve: (value: unknown) => void) => resolve(Promise.resolve().then(settle)) };
    return Promise.resolve().then(settle);
  }
  return new Promise((resolve, reject) => {
    const timer = world.clock.add(() => attempt(settle, resolve, reject), random.int(0, plan.longestMs), 'task');
    if (!plan.heedsSignal) return;
    onAbort(ctx, execution, world, (reason) => {
      world.clock.clearTimer(timer);
      reject(reason);
    });
  });
}

/** Never settles, but for a signal that it heeds. */
function hang(execution: Execution, plan: TaskPlan, ctx: TaskContext, world: World): Promise<never> {
  return new Promise((_, reject) => {
    if (plan.heedsSignal) onAbort(ctx, execution, world, reject);
  });
}

function onAbort(ctx: TaskContext, execution: Execution, world: World, then: (reason: unknown) => void): void {
  ctx.signal.addEventListener('abort', () => {
    if (execution.settled !== 'no') return;
    execution.settled = 'error';
    execution.error = ctx.signal.reason;
    world.ledger.tasks.ignoring.delete(execution);
    then(ctx.signal.reason);
  });
}

function attempt(settle: () => unknown, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  try {
    resolve(settle());
  } catch (error) {
    reject(error);
  }
}

function randomError(random: Random, ctx: TaskContext): unknown {
  const kind = random.weighted({ plain: 10, type: 2, permanent: 2, retryAfter: 2, context: 1, text: 1, nothing: 1, object: 1 });
  switch (kind) {
    case 'plain':
      return new Error(`broken ${random.int(1, 5)}`);
    case 'type':
      return new TypeError('wrong type');
    case 'permanent':
      return random.chance(0.5) ? new PermanentError('for good') : ctx.permanent('for good');
    case 'retryAfter':
      return new RetryAfterError(random.pick([0, 0.05, 2]));
    case 'context':
      return ctx.retryAfter(0.3);
    case 'text':
      return 'a text';
    case 'nothing':
      return random.pick([null, undefined]);
    case 'object':
      return { permanent: random.chance(0.5), message: 'an object' };
  }
}

function createHook(around: Surroundings, kind: HookKind, index: number, plan: HookPlan): Hook {
  const { world, watch, meddle } = around;
  const random = world.behaviour;
  return (itemId, given, info) => {
    watch.onHook(kind, index, itemId, given, info);
    if (random.chance(0.02)) meddle(itemId);
    const throws = random.chance(plan.throwRate);
    const pace = plan.pace === 'mixed' ? random.pick(['sync', 'sleep'] as const) : plan.pace;
    if (pace === 'sync') {
      if (throws) throw new Error('a hook that throws');
      return undefined;
    }
    if (random.chance(plan.hangRate)) return new Promise(() => undefined);
    return later(world, throws ? 'reject' : 'answer', undefined);
  };
}

function createPredicate(world: World, plan: SkipPlan): Predicate {
  const random = world.behaviour;
  return (value) => {
    const answer = skipAnswer(plan, show(value));
    const said = (answer === 'skip' ? random.pick([true, 1, 'yes']) : random.pick([false, 0, '', undefined])) as boolean;
    if (plan.pace === 'sleep') return later(world, answer === 'throw' ? 'reject' : 'answer', said) as Promise<boolean>;
    if (answer === 'throw') throw new Error('a predicate that throws');
    return said;
  };
}

function later(world: World, how: 'answer' | 'reject', value: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (): void => (how === 'answer' ? resolve(value) : reject(new Error('a callback that rejects')));
    world.clock.add(settle, world.behaviour.int(0, LONGEST_CALLBACK_MS), 'task');
  });
}
