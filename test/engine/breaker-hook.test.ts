import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Hook, Pipeline } from '../../src/engine/index.ts';
import { createSecrets } from '../../src/loader/secrets.ts';
import { ids, type Limit, refuse, shown, warnings, withLimit } from './breaker-harness.ts';
import { collectingLogger, eventsOf, type LogLine, virtualPipeline } from './harness.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('the hook of pauseAfterFailures', () => {
  it('is called once, with the error of the last item', async () => {
    const hook = vi.fn<Hook>();
    const made = await withLimit({ count: 3, withinSeconds: 60, hook });
    await made.pipeline.feed([...ids(2), { id: 'last', value: { n: 1 }, customer: 'c' }, ...ids(5, 3)]);
    await made.clock.settle();
    expect(hook.mock.calls).toEqual([
      [
        'last',
        expect.objectContaining({ name: 'PermanentError', message: 'the key has expired' }),
        {
          sequenceId: 3,
          feedId: expect.any(String),
          stage: 'A',
          attempts: 1,
          metadata: { customer: 'c' },
          value: { n: 1 },
          input: { n: 1 },
        },
      ],
    ]);
    expect(warnings(made.logs)).toHaveLength(1);
    await made.pipeline.resumeStage('A');
    await made.clock.settle();
    expect(hook).toHaveBeenCalledTimes(2);
  });

  it('is not called for an operator’s pause', async () => {
    const hook = vi.fn<Hook>();
    const made = await withLimit({ count: 3, withinSeconds: 60, hook });
    await made.pipeline.pauseStage('A');
    await made.clock.settle();
    expect(hook).not.toHaveBeenCalled();
  });

  it.each([
    ['that throws', () => Promise.reject(new Error('no answer')), 'no answer'],
    [
      'that throws at once',
      () => {
        throw new Error('at once');
      },
      'at once',
    ],
    ['that takes too long', () => new Promise(() => undefined), 'took longer than 30 s'],
  ])('%s changes nothing, and is logged', async (_name, hook: Hook, message) => {
    const made = await withLimit({ count: 1, withinSeconds: 60, hook });
    await made.pipeline.feed(ids(2));
    await made.clock.advance(31_000);
    expect(await shown(made)).toMatchObject({ pausedStages: ['A'], itemsFailed: 1 });
    expect(warnings(made.logs).slice(1)).toEqual([
      {
        level: 'warn',
        fields: { item: 'i1', stage: 'A', error: expect.objectContaining({ message }) },
        message: 'the hook of the pause threw; the stage stays paused',
      },
    ]);
    expect(made.clock.pending).toBe(0);
  });

  it('may resume the stage itself', async () => {
    const hook = vi.fn(() => made.pipeline.resumeStage('A'));
    const made = await withLimit({ count: 2, withinSeconds: 60, hook });
    await made.pipeline.feed(ids(7));
    await made.clock.settle();
    expect(hook).toHaveBeenCalledTimes(3);
    expect(await shown(made)).toMatchObject({ pausedStages: [], itemsFailed: 7 });
  });

  it('has to be a function, and the limit whole', () => {
    const make = (pauseAfterFailures: unknown) => () =>
      virtualPipeline([{ name: 'A', tasks: [refuse], pauseAfterFailures: pauseAfterFailures as Limit }]);
    const faultsOf = (made: () => unknown): string[] => {
      try {
        made();
      } catch (error) {
        return (error as { errors: { path: string }[] }).errors.map(({ path }) => path);
      }
      return [];
    };
    expect(faultsOf(make({ count: 1, withinSeconds: 1, hook: 'log_failure' }))).toEqual(['/pauseAfterFailures/hook']);
    expect(faultsOf(make({ count: 0, withinSeconds: 0 }))).toEqual(['/pauseAfterFailures/count', '/pauseAfterFailures/withinSeconds']);
    expect(faultsOf(make({ count: 1.5 }))).toEqual(['/pauseAfterFailures/count', '/pauseAfterFailures/withinSeconds']);
  });
});

it('no reason shows a secret', async () => {
  const clock = new VirtualClock();
  const logs: LogLine[] = [];
  const ports = { clock, logger: collectingLogger(logs), secrets: createSecrets({ KEY: 'sk-very-secret-4711' }) };
  const fails = (): never => {
    throw Object.assign(new Error('refused sk-very-secret-4711'), { permanent: true });
  };
  const pipeline = new Pipeline({ stages: [{ name: 'A', tasks: [fails], pauseAfterFailures: { count: 1, withinSeconds: 1 } }], ports });
  onTestFinished(() => void pipeline.shutdown('force'));
  await pipeline.start();
  await pipeline.feed([1]);
  await clock.settle();
  const { pausedReasons } = await shown({ pipeline });
  expect(pausedReasons.A).toMatch(/Error: refused \[secret KEY\]$/);
  expect(JSON.stringify([pausedReasons, logs, eventsOf(pipeline, 'pipeline')])).not.toContain('very-secret');
});
