/** An attempt that waits for a process that evaluates: its time limit begins with the evaluation. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLocalHost, createTaskRegistry } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { createEvaluatorPool } from '../../tasks/kit/evaluators.ts';
import { createManualClock } from '../http/sse-harness.ts';

const SPIN = '$contains(text, /^(a+)+(?=x)$/)';
const spun = { text: `${'a'.repeat(60)}!` };

describe('a call', () => {
  it('waits until a process begins with it, and begins once', async () => {
    const pool = createEvaluatorPool({ size: 2 });
    onTestFinished(() => pool.close());
    const told: string[] = [];
    const waiterOf = (name: string) => ({
      waits: (reason: string) => void told.push(`${name} waits: ${reason}`),
      begins: () => void told.push(`${name} begins`),
    });
    const slow = { kind: 'expression' as const, source: SPIN, timeoutMs: 400 };
    const first = pool.run(slow, { input: spun, bindings: undefined }, waiterOf('a')).catch(() => told.push('a ends'));
    const second = pool.run(slow, { input: spun, bindings: undefined }, waiterOf('b')).catch(() => told.push('b ends'));
    await Promise.all([first, second]);
    for (const name of ['a', 'b']) {
      const own = told.filter((text) => text.startsWith(name));
      expect([own[0], own.at(-2), own.at(-1)]).toEqual([`${name} waits: thread`, `${name} begins`, `${name} ends`]);
      // A call that was in a batch whose process was killed waits once more.
      expect(own.slice(0, -1).every((text, i) => text === `${name} ${i % 2 === 0 ? 'waits: thread' : 'begins'}`)).toBe(true);
    }
  });

  it('that is refused at once does not wait', async () => {
    const pool = createEvaluatorPool({ size: 2 });
    pool.close();
    const work = { kind: 'expression' as const, source: '1 + 1', timeoutMs: 1000 };
    const waiter = { waits: () => expect.fail('it waits'), begins: () => expect.fail('it begins') };
    await expect(pool.run(work, {}, waiter)).rejects.toThrow('closed');
  });
});

describe.each([
  ['jsonata', { expression: '$sum(lines)', timeoutSeconds: 60 }],
  ['json_schema', { schema: { $ref: '#/$defs/a', $defs: { a: { properties: { next: { $ref: '#/$defs/a' } } } } } }],
])('an attempt of %s', (use, params) => {
  it('whose process has yet to start does not use up its time limit, and says what it waits for', async () => {
    // With a pool of its own, which has no process yet.
    vi.resetModules();
    const { builtInTasks } = await import('../../tasks/index.ts');
    const clock = createManualClock();
    const host = createLocalHost({
      registry: createTaskRegistry(builtInTasks({ outputDir: 'unused', httpAllowHosts: [] })),
      ports: { ...systemPorts, clock },
      ...{ retentionMaxItems: 100, retentionMaxAgeSeconds: 60, backlogCapacity: 100, eventsKept: 1024 },
      ...{ hookTimeoutSeconds: 1, maxStages: 10, maxWorkersPerStage: 100 },
    });
    onTestFinished(async () => void (await host.shutdown('force', 1)));
    await host.create({ id: 'p', stages: [{ name: 'A', tasks: [{ task: use, with: params }], taskTimeoutSeconds: 1, taskAttempts: 1 }] });
    const pipeline = host.get('p');
    await pipeline.feed([{ id: 'x', value: { lines: [1, 2] } }], {});
    expect(await pipeline.item('x')).toMatchObject({ status: 'in_progress', waitingFor: { reason: 'thread', task: use } });
    clock.advance(5000);
    await pipeline.waitForItems({ itemIds: ['x'], returnWhen: 'ALL_COMPLETED' });
    expect(await pipeline.item('x')).toMatchObject({ status: 'completed', waitingFor: null });
    const busy = Object.values(await pipeline.workerMetrics()).reduce((sum, worker) => sum + worker.totalProcessingTimeSeconds, 0);
    expect(busy).toBe(0);
  });
});
