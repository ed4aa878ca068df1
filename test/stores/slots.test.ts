/** The marks of what runs: their file stays as small as the workers are many, and tells the next start the same. */
import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PipelineMarks, Slots } from '../../src/engine/durable/slots.ts';
import type { Worker } from '../../src/engine/model/model.ts';
import type { RunningMarks } from '../../src/engine/store.ts';
import { ended, named, reaches } from '../conformance/world.ts';
import { Random } from '../engine/simulation/random.ts';
import { livesOf } from './durable-host.ts';

const BYTES = 24;
/** With the mark that says whose the others are. */
const HEADER = 8 + BYTES;

/** The file, as far as it matters: what each slot says. */
class Sheet implements RunningMarks {
  readonly cells = new Map<number, { pipeline: number; seq: number; ord: number }>();
  set(slot: number, pipeline: number, seq: number, ord: number): void {
    this.cells.set(slot, { pipeline, seq, ord });
  }
  write(): void {
    // All is written at once.
  }
  highest(of: number): number {
    return Math.max(0, ...[...this.cells.values()].filter(({ pipeline }) => pipeline === of).map(({ seq }) => seq));
  }
}

const worker = (): Worker => ({ slot: -1, item: null }) as unknown as Worker;
function give(to: Worker, sequenceId: number, ord: number): void {
  to.item = { sequenceId, ord } as Worker['item'];
}

describe('the slots of marks', () => {
  it('are no more after 1000 resizes than there were workers at once, and a write is no longer', async () => {
    const lives = livesOf({ pass: (value: unknown) => value });
    const { host } = await lives.begin();
    await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'], workers: 1 }] });
    const p = host.get('p');
    for (let round = 1; round <= 50; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => p.tune('A', { workers: i % 2 === 0 ? 1 : 10 })));
      await p.feed(
        Array.from({ length: 10 }, () => ({})),
        {},
      );
      await ended(p, round * 10);
    }
    expect(statSync(`${lives.file()}-running`).size).toBeLessThanOrEqual(HEADER + 11 * BYTES);
  });

  it('are given to other pipelines when a stage or a pipeline goes', async () => {
    const lives = livesOf({ pass: (value: unknown) => value });
    const { host } = await lives.begin();
    const stage = (name: string) => ({ name, tasks: ['pass'], workers: 5 });
    for (let i = 0; i < 30; i++) {
      await host.put(`p${i}`, { stages: [stage('A'), stage('B')] });
      const p = host.get(`p${i}`);
      await p.run(
        Array.from({ length: 10 }, () => ({})),
        {},
      );
      await host.put(`p${i}`, { stages: [stage('A'), stage('C')] });
      await p.run(
        Array.from({ length: 10 }, () => ({})),
        {},
      );
      await host.remove(`p${i}`, 'force');
    }
    expect(statSync(`${lives.file()}-running`).size).toBeLessThanOrEqual(HEADER + 24 * BYTES);
  });

  it('always name the highest sequence id that was begun, and each item that runs', () => {
    const random = new Random(7);
    const sheet = new Sheet();
    const slots = new Slots();
    const pipelines = [1, 2, 3].map((pipeline) => ({
      pipeline,
      marks: new PipelineMarks(pipeline, sheet, slots),
      workers: [] as Worker[],
      seq: 0,
    }));
    let ord = 0;
    for (let step = 0; step < 2_000; step++) {
      const of = random.pick(pipelines);
      const { marks, workers, pipeline } = of;
      if (workers.length < 8 && random.chance(0.3)) workers.push(worker());
      for (const one of workers) if (random.chance(0.3)) one.item = null;
      const idle = workers.filter(({ item }) => item === null);
      if (idle.length > 0 && random.chance(0.3)) {
        const gone = random.pick(idle);
        workers.splice(workers.indexOf(gone), 1);
        marks.left(gone);
      } else if (idle.length > 0) {
        const some = idle.slice(0, random.int(1, idle.length));
        // Now a new item, now one that comes again.
        for (const one of some) give(one, of.seq === 0 || random.chance(0.5) ? ++of.seq : random.int(1, of.seq), ++ord);
        marks.note(some);
      }
      expect(sheet.highest(pipeline)).toBe(of.seq);
      for (const { pipeline: no, workers: present } of pipelines) {
        for (const { item, slot } of present)
          if (item !== null) expect(sheet.cells.get(slot)).toEqual({ pipeline: no, seq: item.sequenceId, ord: item.ord });
      }
    }
    // A spare one for each pipeline.
    expect(sheet.cells.size).toBeLessThanOrEqual(3 * 8 + 3);
  });

  it('of workers that are gone put no blame on their items', async () => {
    const held = Promise.withResolvers<unknown>();
    const lives = livesOf({ hold: () => held.promise, pass: (value: unknown) => value }, { maxDeliveries: 2 });
    let life = await lives.begin();
    const stages = [
      { name: 'A', tasks: ['pass'], workers: 8 },
      { name: 'B', tasks: ['hold'] },
    ];
    await life.host.create({ id: 'p', stages });
    const p = life.host.get('p');
    await p.feed(named('a', 'b', 'c', 'd'), {});
    await reaches(p, 'd', 'queued', 'B');
    await p.tune('A', { workers: 1 });
    await p.tune('A', { workers: 8 });
    await p.feed(named('e'), {});
    await reaches(p, 'e', 'queued', 'B');
    for (let crashes = 0; crashes < 2; crashes++) {
      await life.crash();
      life = await lives.begin();
      if (crashes === 0) await reaches(life.host.get('p'), 'a', 'in_progress', 'B');
    }
    held.resolve('held');
    await ended(life.host.get('p'), 5);
    // Only who ran in B in both is to blame.
    const { rows } = await life.host.get('p').results({ status: 'failed', after: 0, limit: 10 });
    expect(rows.map(({ id, error }) => [id, error?.type])).toEqual([['a', 'PoisonItem']]);
  });
});
