/** A stage that gets another name keeps its failures, under the name that it has. */
import { describe, expect, it } from 'vitest';
import { livesOf } from './durable-host.ts';

const stage = (name: string, task = 'fails') => ({ name, tasks: [task], taskAttempts: 1, stageAttempts: 1 });

describe.each(['no restart', 'stop', 'crash'] as const)('errorsByStage after other names, with %s in between', (how) => {
  async function play(names: string[]) {
    let isMended = false;
    const lives = livesOf({
      fails: (value) => {
        if (value === 'bad' && !isMended) throw new Error('it is bad');
        return value;
      },
      other: () => {
        throw new Error('always');
      },
    });
    let life = await lives.begin();
    const errors = async () => (await life.host.get('p').errors()).errorsByStage;
    await life.host.create({ id: 'p', stages: [stage('A'), stage('Z', 'other')] });
    await life.host.get('p').run([1, 'bad', 'bad', 'bad'], { feedId: 'f' });
    expect(await errors()).toEqual({ A: 3, Z: 1 });
    for (const name of names) {
      await life.host.put('p', { stages: [stage(name), stage('Z', 'other')] });
      if (how === 'no restart') continue;
      await life[how]();
      life = await lives.begin();
      expect(await errors()).toEqual({ [name]: 3, Z: 1 });
    }
    const mend = (): void => {
      isMended = true;
    };
    return { life: () => life, errors, mend };
  }

  it('counts under the newest', async () => {
    const { errors } = await play(['B', 'C', 'D']);
    expect(await errors()).toEqual({ D: 3, Z: 1 });
  });

  it('no longer counts what failed under an old name once it is tried again', async () => {
    const { life, errors, mend } = await play(['B', 'C']);
    const runtime = life().host.get('p');
    const failed = (await runtime.items({ status: ['failed'], stage: 'C', after: 0, limit: 10 } as never)).rows;
    expect(failed.map(({ error }) => error?.stage)).toEqual(['A', 'A', 'A']);
    mend();
    await runtime.retryItem(failed[0]?.id as string);
    await runtime.waitForFeed('f', {});
    expect(await errors()).toEqual({ C: 2, Z: 2 });
  });

  it('counts what fails in a new stage of the old name apart', async () => {
    const { life, errors } = await play(['B']);
    await life().host.put('p', { stages: [stage('B'), stage('A', 'other'), stage('Z', 'other')] });
    await life().host.get('p').run([1], {});
    expect(await errors()).toEqual({ B: 3, Z: 1, A: 1 });
  });
});
