import { describeThrown } from '../../../src/engine/contract/errors.ts';
import type { StatusEvent, TaskEvent } from '../../../src/schemas/item.ts';
import { Bound } from './bound.ts';
import type { Execution, Life } from './life.ts';
import { maxAttempts, type Scenario, type StagePlan, type TaskPlan, timeoutMs } from './scenario.ts';
import type { Report } from './violation.ts';

/** What the platform's timers may be early or late by, and what is lost by writing instants in whole milliseconds. */
const TOLERANCE_MS = 2;

/** How many executions of a task run in a stage, and how many may. */
export interface Running {
  count: number;
  readonly bound: Bound;
}

/**
 * Holds each attempt, as events tell of it, against the policy of its stage (invariant 6), and counts what runs for
 * invariant 4. The tasks themselves say what they were called with and how they settled.
 */
export class TaskEvents {
  /** Executions that were given up and have not settled: they ignore their signal. */
  readonly ignoring = new Set<Execution>();
  private readonly scenario: Scenario;
  private readonly report: Report;
  private readonly now: () => number;
  private readonly running = new Map<string, Running>();

  constructor(scenario: Scenario, now: () => number, report: Report) {
    this.scenario = scenario;
    this.now = now;
    this.report = report;
  }

  runningOf(stage: number, task: string): Running {
    const key = `${stage}/${task}`;
    let running = this.running.get(key);
    if (running === undefined) {
      running = { count: 0, bound: new Bound(this.limitOf(stage, task)) };
      this.running.set(key, running);
    }
    return running;
  }

  /** The concurrency limit of a task now. */
  limitOf(stage: number, name: string): number {
    const plan = this.scenario.stages[stage] as StagePlan;
    return plan.taskConcurrencyLimits[name] ?? plan.tasks.find((task) => task.name === name)?.concurrency ?? Number.POSITIVE_INFINITY;
  }

  take(event: TaskEvent, life: Life): void {
    const stage = this.scenario.stages[life.stage] as StagePlan;
    const task = stage.tasks[life.task];
    if (event.stage !== stage.name || task?.name !== event.taskName) {
      this.report(
        6,
        `${life.id} is before task ${life.task} of ${stage.name}, and ${event.taskName} of ${event.stage} says ${event.eventType}`,
      );
      return;
    }
    if (event.attempt !== life.failures + 1) {
      this.report(
        6,
        `${life.id}: ${event.taskName} says ${event.eventType} of attempt ${event.attempt}, it is number ${life.failures + 1}`,
      );
    }
    if (event.eventType === 'progress') return;
    if (event.eventType === 'start') this.onStart(event, life, stage);
    else this.onEnd(event, life, stage, task);
    life.lastTaskEvent = event.eventType;
  }

  private onStart(event: TaskEvent, life: Life, stage: StagePlan): void {
    if (life.status !== 'in_progress') this.report(10, `${life.id} is ${life.status} and ${event.taskName} starts`);
    if (life.execution !== null) this.report(6, `${event.taskName} starts for ${life.id} while another attempt runs`);
    if (event.attempt > maxAttempts(stage)) this.report(6, `attempt ${event.attempt} of ${event.taskName} for ${life.id}`);
    if (life.isCancelRequested) this.report(1, `${life.id} was cancelled, and ${event.taskName} starts`);
    if (this.now() < life.notBefore - TOLERANCE_MS) {
      this.report(6, `${life.id} starts again ${life.notBefore - this.now()} ms before its wait is over`);
    }
    life.execution = { attempt: event.attempt, startedAt: this.now(), isCalled: false, settled: 'no', shown: '', error: undefined };
    this.runningOf(life.stage, event.taskName).count++;
  }

  private onEnd(event: TaskEvent, life: Life, stage: StagePlan, task: TaskPlan): void {
    const { execution } = life;
    if (execution?.isCalled !== true) {
      this.report(10, `${event.taskName} says ${event.eventType} for ${life.id} and was not called`);
      return;
    }
    this.close(life);
    if (event.eventType === 'complete') {
      if (execution.settled !== 'value') this.report(10, `${event.taskName} is complete for ${life.id}, it has ${execution.settled} yet`);
      life.taskValue = execution.shown;
      life.task++;
      if (stage.retry === 'per_task') life.failures = 0;
      return;
    }
    const isTimeout = event.error?.type === 'TaskTimeoutError';
    if (isTimeout) this.checkTimeout(execution, stage, task, life);
    else if (execution.settled !== 'error') this.report(10, `${event.taskName} is said to have thrown for ${life.id}, it did not`);
    life.failed = { error: execution.error, isTimeout };
    if (isTimeout && execution.settled === 'no') this.ignoring.add(execution);
    life.failures++;
    const permanent = !isTimeout && describeThrown(execution.error).permanent;
    const isLast = permanent || life.failures >= maxAttempts(stage);
    if (isLast !== (event.eventType === 'fail')) {
      this.report(6, `${life.id} has failed ${life.failures} times of ${maxAttempts(stage)}, and the event says ${event.eventType}`);
    }
  }

  private checkTimeout(execution: Execution, stage: StagePlan, task: TaskPlan, life: Life): void {
    const limit = timeoutMs(stage, task);
    const took = this.now() - execution.startedAt;
    if (limit === undefined || took < limit - TOLERANCE_MS) this.report(6, `${task.name} timed out for ${life.id} after ${took} ms`);
  }

  /** The item waits for its next attempt: as long as the policy or the error says. */
  onRetrying(life: Life, event: StatusEvent): void {
    const stage = this.scenario.stages[life.stage] as StagePlan;
    const waitMs = (event.metadata.waitSeconds as number) * 1000;
    const { failed } = life;
    const asked = failed === null || failed.isTimeout ? undefined : describeThrown(failed.error).retryAfterSeconds;
    const base = asked ?? policyWaitSeconds(stage, life.failures);
    const jitter = asked === undefined ? stage.jitter : 0;
    const [least, most] = [base * (1 - jitter) * 1000, base * (1 + jitter) * 1000];
    if (waitMs < least - 0.001 || waitMs > most + 0.001) {
      this.report(6, `${life.id} waits ${waitMs} ms after ${life.failures} failures, the policy says ${least} to ${most}`);
    }
    life.notBefore = this.now() + least;
    this.toStart(life);
  }

  /** Back to where the next attempt begins. */
  toStart(life: Life): void {
    if (this.scenario.stages[life.stage]?.retry !== 'per_stage') return;
    life.task = 0;
    life.taskValue = life.stageValue;
  }

  /** What runs for this item was given up, and counts no longer. */
  abandon(life: Life): void {
    const { execution } = life;
    if (execution === null) return;
    if (execution.settled === 'no') this.ignoring.add(execution);
    this.close(life);
  }

  private close(life: Life): void {
    const name = this.scenario.stages[life.stage]?.tasks[life.task]?.name as string;
    const running = this.runningOf(life.stage, name);
    running.count--;
    running.bound.holds(running.count);
    life.execution = null;
  }
}

function policyWaitSeconds(stage: StagePlan, failures: number): number {
  if (stage.backoff === 'fixed') return stage.taskWaitSeconds;
  return Math.min(stage.taskWaitSeconds * 2 ** (failures - 1), stage.maxWaitSeconds);
}
