import type { TaskContext } from '../../../src/engine/contract/task.ts';
import type { Execution, HookKind, Life } from './life.ts';
import type { StagePlan } from './scenario.ts';
import { show } from './values.ts';
import type { World } from './world.ts';

/** What tasks and hooks see when they are called, held against invariants 3, 4, 6 and 7. */
export class Watch {
  private readonly world: World;
  /** Instants of the starts of each task under its present rate, oldest first. */
  private readonly starts = new Map<string, number[]>();
  private readonly ratesChangedAt: number[] = [];
  private readonly limitsChangedAt: number[] = [];

  constructor(world: World) {
    this.world = world;
  }

  /** A new rate holds for what starts later; that earlier starts, and those just let go, count too is not checked. */
  ratesChange(stage: number): void {
    this.ratesChangedAt[stage] = this.world.clock.monotonic();
    for (const key of this.starts.keys()) if (key.startsWith(`${stage}/`)) this.starts.delete(key);
  }

  limitsChange(stage: number): void {
    this.limitsChangedAt[stage] = this.world.clock.monotonic();
  }

  onCall(stage: number, task: string, input: string, ctx: TaskContext): Execution | undefined {
    const { world } = this;
    const life = world.ledger.lives.get(ctx.itemId);
    const execution = life?.execution;
    if (life === undefined || execution == null || life.stage !== stage || execution.isCalled) {
      world.report(10, `${task} is called for ${ctx.itemId} without an event that says so`);
      return undefined;
    }
    execution.isCalled = true;
    if (ctx.attempt !== execution.attempt) world.report(6, `attempt ${execution.attempt} is called as number ${ctx.attempt}`);
    if (input !== life.taskValue) world.report(6, `${task} gets ${input} for ${life.id}, ${life.taskValue} came in`);
    if (show(ctx.metadata) !== life.raw.metadata) world.report(1, `the metadata of ${life.id} became ${show(ctx.metadata)}`);
    this.checkRunning(stage, task);
    this.checkRate(stage, task);
    if (!life.hasBegun) {
      life.hasBegun = true;
      this.checkOrder(stage, life, ctx.worker);
    }
    return execution;
  }

  onHook(kind: HookKind, stage: number, itemId: string, given: unknown, info: { stage: string; attempts: number; feedId: string }): void {
    const { world } = this;
    world.read();
    const life = world.ledger.lives.get(itemId);
    if (
      life === undefined ||
      life.isFinal ||
      life.stage !== stage ||
      info.stage !== this.plan(stage).name ||
      info.feedId !== life.feed.id
    ) {
      world.report(7, `${kind} is called for ${itemId} in ${info.stage}, where it is not`);
      return;
    }
    if (++life.hooks[kind] > 1) world.report(6, `${kind} is called a second time for ${itemId}`);
    if (kind === 'onFailure') {
      if (life.lastTaskEvent !== 'fail') world.report(6, `onFailure is called for ${itemId}, which has not failed for good`);
      const thrown = life.failed?.isTimeout === true ? undefined : life.failed?.error;
      if (thrown !== undefined && thrown !== null && given !== thrown) world.report(7, `onFailure got ${String(given)} for ${itemId}`);
      if (info.attempts !== life.failures) world.report(6, `onFailure is told ${info.attempts} attempts, there were ${life.failures}`);
    } else if (show(given) !== life.taskValue) {
      world.report(7, `${kind} got ${show(given)} for ${itemId}, its value is ${life.taskValue}`);
    }
  }

  /** Invariant 4: workers and concurrency. */
  private checkRunning(stage: number, task: string): void {
    const { world } = this;
    const running = world.ledger.tasks.runningOf(stage, task);
    // Those that were let go at the instant of the change are called after it.
    if (world.clock.monotonic() === this.limitsChangedAt[stage]) running.bound.change(running.bound.limit, running.count);
    if (!running.bound.holds(running.count)) {
      world.report(4, `${running.count} ${task} run in ${this.plan(stage).name}, the limit is ${running.bound.limit}`);
    }
    const held = world.held(stage);
    const bound = world.bounds[stage]?.workers;
    if (bound?.holds(held) === false) world.report(4, `${held} items run in ${this.plan(stage).name} on ${bound.limit} workers`);
  }

  /** Invariant 4: starts in a window. */
  private checkRate(stage: number, task: string): void {
    const { world } = this;
    const plan = this.plan(stage);
    const rate = plan.taskRateLimits[task] ?? plan.tasks.find((candidate) => candidate.name === task)?.rateLimit;
    if (rate === undefined) return;
    const key = `${stage}/${task}`;
    const starts = this.starts.get(key) ?? [];
    this.starts.set(key, starts);
    const now = world.clock.monotonic();
    if (now === this.ratesChangedAt[stage]) return;
    starts.push(now);
    const first = starts[starts.length - 1 - rate.limit];
    if (first !== undefined && now - first < rate.perSeconds * 1000) {
      world.report(4, `${rate.limit + 1} ${task} started in ${now - first} ms, the rate is ${rate.limit} in ${rate.perSeconds * 1000} ms`);
    }
  }

  /**
   * Invariant 3, where it can be decided: who still waits when this item begins, and waited already when the item was
   * queued (then its turn was earlier) or when it was given to its worker (then a more urgent one was passed over).
   */
  private checkOrder(stage: number, life: Life, workerName: string): void {
    const { world } = this;
    const engineStage = world.stages[stage];
    if (engineStage === undefined || engineStage.queue.size === 0) return;
    const { lives } = world.ledger;
    const worker = engineStage.workers.find((candidate) => candidate.name === workerName);
    const taken = Math.floor(world.clock.wall(worker?.processingSince ?? 0));
    for (const { id } of engineStage.queue) {
      const other = lives.get(id);
      if (other === undefined || other.feed.priority > life.feed.priority) continue;
      const isSame = other.feed.priority === life.feed.priority;
      // Within a priority, what has begun there goes first.
      if (isSame && life.isBack && !other.isBack) continue;
      const isAhead = !isSame || (other.isBack && !life.isBack);
      const cameBefore = other.queuedSeq < life.queuedSeq;
      const wasPassedOver = isAhead && other.queuedAt + 1 < taken;
      if (!cameBefore && !wasPassedOver) continue;
      const [a, b] = [other.feed.priority, life.feed.priority];
      world.report(3, `${life.id} (priority ${b}) begins in ${engineStage.name} before ${id} (priority ${a}), which came earlier`);
      return;
    }
  }

  private plan(stage: number): StagePlan {
    return this.world.scenario.stages[stage] as StagePlan;
  }
}
