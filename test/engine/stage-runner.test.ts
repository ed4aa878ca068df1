import { describe, expect, it } from 'vitest';
import type { StageOptions, TaskContext } from '../../src/engine/index.ts';
import { PipelineMeter } from '../../src/engine/measures/pipeline-meter.ts';
import { StageMeter } from '../../src/engine/measures/stage-meter.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import {
  type Claim,
  DueQueue,
  EngineClock,
  type Gate,
  type Limit,
  type Outcome,
  type Passed,
  Slot,
  type StageItem,
  StageRunner,
  stageSpecOf,
  Turn,
} from '../../src/engine/stage/index.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A stage by itself, with nothing around it: what it tells goes into lists. */
function stage(options: Omit<StageOptions, 'name'>, gateFor: (task: string, limit: Limit) => Gate = noGate) {
  const clock = new VirtualClock();
  const time = new EngineClock(clock);
  const place = { name: 'A', pipelineId: 'p', ignoringSignal: 0, meter: new StageMeter(new PipelineMeter()) };
  const told: string[] = [];
  const later: Outcome[] = [];
  const runner = new StageRunner<StageItem, Slot>(stageSpecOf({ name: 'A', ...options }), {
    pipelineId: 'p',
    time,
    dues: new DueQueue(clock),
    turn: new Turn(time, () => undefined),
    events: {
      status: (_item, status) => told.push(status),
      task: (type, slot, _item, task, attempt) => told.push(`${type} ${task.name} ${attempt} after ${time.now - slot.startedAt} ms`),
    },
    random: () => 0.5,
    logger: silentLogger,
    notes: null,
    tracer: null,
    maskSecrets: (text) => text,
    maxErrorCharacters: 4096,
    gateFor,
    done: (_slot, outcome) => later.push(outcome),
    values: undefined,
    onLarge: () => undefined,
    hookTimeoutMs: 30_000,
  });
  return {
    clock,
    place,
    told,
    later,
    runner,
    /** An item in a slot of its own, and what came of it at once. */
    begin(value: unknown, more: Partial<StageItem> = {}) {
      const slot = new Slot<StageItem>('A-W0', place, runner);
      const item = { id: 'x', sequenceId: 1, priority: 100, feed: { id: 'f' }, metadata: {}, trace: null, stage: place, nextStage: null };
      const whole: StageItem = {
        ...item,
        status: 'queued',
        updatedAt: 0,
        size: 0,
        taskIndex: 0,
        attempts: 0,
        earlierAttempts: 0,
        lastError: null,
        value,
        fed: value,
        ...more,
      };
      slot.item = whole;
      return { slot, item: whole, outcome: runner.run(slot, whole) };
    },
  };
}

function noGate(): never {
  throw new Error('nothing is limited');
}

/** A gate that the test opens, and what it was asked. */
class HandGate implements Gate {
  current: Limit;
  readonly claims: (Claim & { signal: AbortSignal; pass: () => void })[] = [];
  readonly log: string[] = [];
  readonly hasNewStarts = false;

  constructor(limit: Limit) {
    this.current = limit;
  }

  acquire(claim: Claim, signal: AbortSignal): Promise<Passed> {
    return new Promise((resolve, reject) => {
      const passed = { release: () => void this.log.push('released'), hold: (seconds: number) => void this.log.push(`held ${seconds} s`) };
      this.claims.push({ ...claim, signal, pass: () => resolve(passed) });
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  }

  keptStarts(): [] {
    return [];
  }

  restore(starts: readonly unknown[]): void {
    expect(starts).toEqual([]);
  }

  blockedBy(): { reason: 'rate-limit' } {
    return { reason: 'rate-limit' };
  }

  change(limit: Limit): void {
    this.current = limit;
  }

  occupy(): () => void {
    this.log.push('occupied');
    return () => void this.log.push('released');
  }
}

const double = (value: number): number => value * 2;
const never = (): Promise<never> => new Promise(() => undefined);
const fail = (): never => {
  throw new Error('no');
};

describe('an item in a stage, without queue, log or core', () => {
  it('goes through the tasks, at once when they answer at once', () => {
    const { begin, told } = stage({ tasks: [double, double] });
    const { outcome, item } = begin(3, { metadata: { a: 1 } });
    expect(outcome).toEqual({ kind: 'advance', value: 12 });
    expect(item).toMatchObject({ status: 'in_progress', taskIndex: 2, value: 12 });
    const each = ['start double 1 after 0 ms', 'complete double 1 after 0 ms'];
    expect(told).toEqual(['in_progress', ...each, ...each]);
  });

  it('comes out later when a task is awaited', async () => {
    const { begin, later, clock } = stage({ tasks: [async (value) => double(value as number)] });
    expect(begin(3).outcome).toBeUndefined();
    await clock.settle();
    expect(later).toEqual([{ kind: 'advance', value: 6 }]);
  });

  it('is told what its handler may know', () => {
    let seen: Partial<TaskContext> = {};
    const { begin } = stage({
      tasks: [
        function note(value, ctx: TaskContext) {
          const { itemId, sequenceId, pipeline, stage: at, task, worker, attempt, metadata } = ctx;
          seen = { itemId, sequenceId, pipeline, stage: at, task, worker, attempt, metadata };
          return value;
        },
      ],
    });
    begin(1, { metadata: { a: 1 } });
    const place = { pipeline: 'p', stage: 'A', task: 'note', worker: 'A-W0' };
    expect(seen).toEqual({ itemId: 'x', sequenceId: 1, ...place, attempt: 1, metadata: { a: 1 } });
  });

  it('is to be tried again after a wait, from the task that failed, and goes on from there', () => {
    let failures = 1;
    const sometimes = (value: number): number => (failures-- > 0 ? fail() : value + 1);
    const { begin, told } = stage({ tasks: [double, sometimes], taskAttempts: 3, taskWaitSeconds: 2, backoff: 'fixed', jitter: 0 });
    const error = { type: 'Error', message: 'no', stage: 'A', attempts: 1 };
    expect(begin(3).outcome).toEqual({ kind: 'retry', waitMs: 2000, taskIndex: 1, value: 6, attempts: 1, error });
    expect(begin(6, { taskIndex: 1, attempts: 1 }).outcome).toEqual({ kind: 'advance', value: 7 });
    expect(told.filter((text) => text.includes('sometimes'))).toEqual([
      'start sometimes 1 after 0 ms',
      'retry sometimes 1 after 0 ms',
      'start sometimes 2 after 0 ms',
      'complete sometimes 2 after 0 ms',
    ]);
  });

  it('starts at the first task again with per_stage', () => {
    const { begin } = stage({
      tasks: [double, fail],
      retry: 'per_stage',
      stageAttempts: 2,
      taskWaitSeconds: 1,
      backoff: 'fixed',
      jitter: 0,
    });
    expect(begin(3).outcome).toMatchObject({ kind: 'retry', taskIndex: 0, value: 3, attempts: 1 });
    expect(begin(3, { attempts: 1 }).outcome).toMatchObject({ kind: 'fail', error: { attempts: 2 } });
  });

  it('passes unchanged when the predicate says so, and the hook is told', () => {
    const hooks: unknown[] = [];
    const { begin, told } = stage({ tasks: [fail], skipIf: (value) => value === 3, onSkip: (id, value) => hooks.push([id, value]) });
    expect(begin(3).outcome).toEqual({ kind: 'skip' });
    expect(hooks).toEqual([['x', 3]]);
    expect(told).toEqual([]);
  });

  it('fails when no attempt is left, and the hook is told', () => {
    const hooks: unknown[] = [];
    const { begin } = stage({ tasks: [fail], taskAttempts: 2, onFailure: (id, error) => hooks.push([id, (error as Error).message]) });
    const error = { type: 'Error', message: 'no', stage: 'A', attempts: 2 };
    expect(begin(3, { attempts: 1 }).outcome).toEqual({ kind: 'fail', error, thrown: new Error('no') });
    expect(hooks).toEqual([['x', 'no']]);
  });

  it('is given up with a cancel: the signal aborts, and what its handler makes of it is nothing', async () => {
    let signal: AbortSignal | undefined;
    let finish: (value: unknown) => void = () => undefined;
    const slow = (_value: unknown, ctx: TaskContext): Promise<unknown> => {
      ({ signal } = ctx);
      return new Promise((resolve) => {
        finish = resolve;
      });
    };
    const { begin, runner, clock, later, place } = stage({ tasks: [slow] });
    const { slot } = begin(3);
    expect(slot.task?.name).toBe('slow');
    expect(runner.abandon(slot, 'cancelled')).toEqual({ kind: 'cancelled' });
    await clock.settle();
    expect(signal?.reason).toMatchObject({ name: 'AbortedError' });
    expect(place.ignoringSignal).toBe(1);
    finish('late');
    await clock.settle();
    expect(later).toEqual([]);
    expect(place.ignoringSignal).toBe(0);
  });

  it('is where it was before, when a shutdown gives its attempt up', () => {
    const { begin, runner } = stage({ tasks: [double, never] });
    const { slot, item } = begin(3);
    expect(runner.abandon(slot, 'aborted')).toEqual({ kind: 'aborted' });
    expect(item).toMatchObject({ taskIndex: 1, attempts: 0, value: 6 });
  });

  it('is tried again when a task takes too long', async () => {
    const { begin, clock, told, later } = stage({ tasks: [never], taskTimeoutSeconds: 2, taskWaitSeconds: 1, backoff: 'fixed', jitter: 0 });
    begin(3);
    await clock.advance(1999);
    expect(later).toEqual([]);
    await clock.advance(1);
    expect(later).toMatchObject([{ kind: 'retry', waitMs: 1000, attempts: 1, error: { type: 'TaskTimeoutError' } }]);
    expect(told.at(-1)).toBe('retry never 1 after 2000 ms');
  });
});

describe('the gate of a task', () => {
  const limited = (task: (value: number, ctx: TaskContext) => unknown, limits: Omit<StageOptions, 'name' | 'tasks'>) => {
    const gates: HandGate[] = [];
    const gateFor = (name: string, limit: Limit): Gate => {
      expect(name).toBe('task');
      gates.push(new HandGate(limit));
      return gates.at(-1) as HandGate;
    };
    const made = stage({ tasks: [Object.defineProperty(task, 'name', { value: 'task' })], ...limits }, gateFor);
    return { ...made, gates };
  };

  it('is asked before the task begins, and gets its place back', async () => {
    const { begin, gates, clock, later, told } = limited(double, { taskConcurrencyLimits: { task: 2 } });
    const { slot, outcome } = begin(3, { priority: 7 });
    expect(outcome).toBeUndefined();
    const [gate] = gates as [HandGate];
    expect(gate.current).toEqual({ concurrency: 2 });
    expect(gate.claims).toMatchObject([{ value: 3, metadata: {}, priority: 7 }]);
    expect(slot).toMatchObject({ waitingFor: 'rate-limit', waitingTask: { name: 'task' } });
    await clock.advance(500);
    expect(told).toEqual(['in_progress']);
    gate.claims[0]?.pass();
    await clock.settle();
    expect(later).toEqual([{ kind: 'advance', value: 6 }]);
    expect(slot.waitingFor).toBeNull();
    expect(gate.log).toEqual(['released']);
  });

  it('holds the others when a server asks for a pause', async () => {
    const busy = (_value: number, ctx: TaskContext): never => {
      throw ctx.retryAfter(9);
    };
    const { begin, gates, clock, later } = limited(busy, { taskRateLimits: { task: { limit: 1, perSeconds: 1 } } });
    begin(3);
    gates[0]?.claims[0]?.pass();
    await clock.settle();
    expect(later).toMatchObject([{ kind: 'retry', waitMs: 9000 }]);
    expect(gates[0]?.log).toEqual(['held 9 s', 'released']);
  });

  it('is left when the wait is given up, and a place that comes too late goes back', async () => {
    const { begin, gates, runner, clock, later } = limited(double, { taskConcurrencyLimits: { task: 1 } });
    const { slot, item } = begin(3);
    const claim = gates[0]?.claims[0];
    claim?.pass();
    expect(runner.abandon(slot, 'aborted')).toEqual({ kind: 'aborted' });
    expect(claim?.signal.aborted).toBe(true);
    await clock.settle();
    expect(later).toEqual([]);
    expect(gates[0]?.log).toEqual(['released']);
    expect(item.attempts).toBe(0);
  });

  it('counts what runs when a limit is set, and goes on in another definition of the stage', () => {
    const { begin, gates, runner } = limited(never, {});
    const { slot } = begin(3);
    expect(gates).toEqual([]);
    runner.changeLimits({ taskConcurrencyLimits: { task: 1 }, taskRateLimits: {} }, [slot]);
    expect(gates).toMatchObject([{ current: { concurrency: 1 }, log: ['occupied'] }]);
    runner.abandon(slot, 'cancelled');
    expect(gates[0]?.log).toEqual(['occupied', 'released']);
    runner.changeLimits({ taskConcurrencyLimits: { task: 3 }, taskRateLimits: {} }, [slot]);
    expect(gates).toHaveLength(1);
    expect(gates[0]?.current).toEqual({ concurrency: 3 });
  });
});
