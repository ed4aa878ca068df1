import { describe, expect, it } from 'vitest';
import { type Execution, executionFaults } from './executions.ts';

/** `begin x One W0 0`: what, item, stage, worker, life; of an item `p/x` the pipeline, too. */
function faults(lines: string[], { lost = [], told = {} }: { lost?: string[]; told?: Record<string, number> } = {}): string[] {
  const executions = lines.map((line) => {
    const [what, id, stage, worker, life] = line.split(' ') as [Execution['what'], string, string, string, string];
    const pipeline = id.includes('/') ? (id.split('/')[0] as string) : 'work';
    return { what, pipeline, id, stage, worker, life: Number(life) };
  });
  const known = new Set(executions.map(({ id }) => id).filter((id) => !lost.includes(id)));
  const results = new Map(Object.entries(told).map(([id, life]) => [id, { life }]));
  return executionFaults(executions.map((execution) => `${JSON.stringify(execution)}\n`).join(''), known, results);
}

describe('executions that a kill excuses', () => {
  it('lets what was running run again', () => {
    expect(faults(['begin x One W0 0', 'begin x One W1 1', 'end x One W1 1'])).toEqual([]);
  });

  it('lets a failed attempt be tried again, in the same life too', () => {
    expect(faults(['begin x One W0 0', 'fail x One W0 0', 'begin x One W1 0', 'end x One W1 0'])).toEqual([]);
  });

  it('lets an end that nothing on disk came after be undone', () => {
    const lines = ['begin x One W0 0', 'end x One W0 0', 'begin y One W0 0', 'end y One W0 0'];
    expect(faults([...lines, 'begin x One W0 1', 'end x One W0 1', 'begin y One W0 1', 'end y One W0 1'])).toEqual([]);
  });

  it('lets an end be undone whose worker still waited for room behind it', () => {
    const lines = ['begin x One W0 0', 'end x One W0 0', 'begin y One W1 0', 'end y One W1 0'];
    expect(faults([...lines, 'begin x One W0 1', 'end x One W0 1'])).toEqual([]);
  });

  it('draws no conclusion from an item that was lost before anyone was told of it', () => {
    const lines = ['begin x One W0 0', 'end x One W0 0', 'begin y One W0 0', 'end y One W0 0', 'begin x One W0 1', 'end x One W0 1'];
    expect(faults(lines, { lost: ['y'] })).toEqual([]);
  });

  it('draws no conclusion from an item of another pipeline, whose changes go to disk by themselves', () => {
    const lines = ['begin p/x One W0 0', 'end p/x One W0 0', 'begin p/y One W0 0', 'begin q/z One W0 0', 'end q/z One W0 0'];
    expect(faults([...lines, 'begin p/x One W0 1', 'end p/x One W0 1', 'begin p/y One W0 1', 'end p/y One W0 1'])).toEqual([]);
  });

  it('lets an item pass on to the next stage', () => {
    expect(faults(['begin x One W0 0', 'end x One W0 0', 'begin x Two W0 0', 'end x Two W0 0'])).toEqual([]);
  });
});

describe('executions that nothing excuses', () => {
  it.each([
    ['a second execution in the same life', ['begin x One W0 0', 'end x One W0 0', 'begin x One W0 0'], {}],
    ['two executions at once', ['begin x One W0 0', 'begin x One W1 0'], {}],
    [
      'one that ended before another whose end is on disk',
      ['begin x One W0 0', 'end x One W0 0', 'begin y One W0 0', 'end y One W0 0', 'begin x One W0 1', 'end x One W0 1'],
      {},
    ],
    ['one whose result a client has', ['begin x One W0 0', 'end x One W0 0', 'begin x One W0 1', 'end x One W0 1'], { told: { x: 0 } }],
  ])('blames %s', (_what, lines, more) => {
    expect(faults(lines, more)).toHaveLength(1);
  });
});
