/** `sluice feed` over a service that is killed and started again, and its bar on a terminal. */
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createSluice } from '../../src/client/index.ts';
import { collect } from '../client/world.ts';
import { createGate, GATE_TASK } from '../e2e/gate.ts';
import { mortal } from '../e2e/mortal.ts';
import { create, definition, startService } from '../http/app-harness.ts';
import { folderWith } from '../loader/folder.ts';
import { startSluice } from './sluice-process.ts';
import { describeTerminal, onTerminal, screenOf } from './terminal-of-python.ts';

const ndjson = (items: readonly unknown[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join('');

it('feed goes on where it was when the service is killed and started again: nothing twice, and the exit code of what became of it', {
  timeout: 60_000,
}, async () => {
  const gate = await createGate();
  const once = { workers: 2, taskAttempts: 1, stageAttempts: 1 };
  const { url, server, killAndRestart } = await mortal(
    [
      { id: 'p', stages: [{ name: 'S', ...once, tasks: [{ task: 'jsonata', with: { expression: 'n % 10 = 7 ? $error("seven") : n' } }] }] },
      { id: 'q', backlogCapacity: 50, stages: [{ name: 'S', ...once, tasks: ['gate'] }] },
    ],
    { 'gate.mjs': GATE_TASK.replace('return {', 'return { n: value.n,') },
  );
  const sluice = createSluice({ url });
  const env = { SLUICE_URL: url };
  const numbers = Array.from({ length: 120 }, (_, n) => n);
  const events = await server.events('/events?status=queued,completed,failed');
  const ended = (id: string, is: (event: { pipelineId: string; final: boolean; status: string }) => boolean, count: number) =>
    events.until(
      (client) =>
        (client.named('status') as { pipelineId: string; final: boolean; status: string }[]).filter(
          (event) => event.pipelineId === id && is(event),
        ).length >= count,
    );

  // What is read once, of which the half was sent and has ended; and a file that the service has taken the first part of, since there is no room for more.
  const fromStdin = startSluice(['feed', 'p', '--feed', 'f', '--follow', '--json'], { env });
  fromStdin.child.stdin?.write(ndjson(numbers.slice(0, 60).map((n) => ({ n }))));
  const file = join(folderWith({ 'items.ndjson': ndjson(numbers.map((n) => ({ n, gate: gate.url }))) }), 'items.ndjson');
  const fromFile = startSluice(['feed', 'q', file, '--feed', 'f', '--follow', '--json'], { env });
  await ended('p', ({ final }) => final, 60);
  await ended('q', ({ status }) => status === 'queued', 50);
  await gate.arrived(2);
  const restarted = killAndRestart();
  fromStdin.child.stdin?.end(ndjson(numbers.slice(60).map((n) => ({ n }))));
  await restarted;
  gate.open();

  const first = await fromStdin.ended;
  expect(JSON.parse(first.stdout)).toMatchObject({ total: 120, completed: 108, failed: 12, duplicates: 0, done: true });
  expect([first.code, first.stderr]).toEqual([3, expect.stringMatching(/going on …\n108 completed, 12 failed\.\n$/)]);
  const second = await fromFile.ended;
  expect(JSON.parse(second.stdout)).toMatchObject({ total: 120, completed: 120, failed: 0, duplicates: 0, done: true });
  expect([second.code, second.stderr]).toEqual([0, expect.stringMatching(/going on …\n120 completed\.\n$/)]);
  const resultsOf = async (id: string) =>
    (await collect(sluice.results(id, { feedId: 'f', status: 'completed' }))).map(({ value }) => value);
  expect(await resultsOf('p')).toEqual(numbers.filter((n) => n % 10 !== 7));
  expect((await resultsOf('q')).map((value) => (value as { n: number }).n)).toEqual(numbers);
});

describeTerminal('feed on a terminal', () => {
  it('shows how much is sent, then how much is done, and leaves nothing of its bar', async () => {
    const service = await startService();
    onTestFinished(() => service[Symbol.asyncDispose]());
    const url = await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { gate } = service;
    await create(service, { ...definition('p', 'gated'), backlogCapacity: 3 });
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const file = join(folderWith({ 'items.ndjson': ndjson(ids.map((id) => ({ id }))) }), 'items.ndjson');
    const feeding = onTerminal(['feed', 'p', file, '--feed', 'f', '--follow'], { SLUICE_URL: url, TERM: 'xterm', LANG: 'C.UTF-8' });
    // Not all of them find room, so the upload goes on for as long as the test wants it to.
    await feeding.printed(/█{24}\S* 100 % 6 items sent, 66 B, /);
    const letGo = async (id: string): Promise<void> => {
      await gate.arrived(id);
      gate.open(id);
    };
    for (const id of ['a', 'b', 'c']) await letGo(id);
    await feeding.printed(/█{12} {12}\S* {2}50 % 3 of 6 items, /);
    for (const id of ['d', 'e', 'f']) await letGo(id);
    const { code, stdout } = await feeding.ended;
    expect(code).toBe(0);
    expect(screenOf(stdout)).toEqual(['f', expect.stringContaining('6 completed'), '']);
  });
});
