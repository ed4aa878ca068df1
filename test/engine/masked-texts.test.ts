import { expect, it } from 'vitest';
import { createLocalHost, createTaskRegistry, describeThrown, type TaskDeclaration, type TaskHandler } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { createSecrets } from '../../src/loader/secrets.ts';

const SECRET = 'hunter22-and-more';
const secrets = createSecrets({ KEY: SECRET });

it.each([4090, 4095, 4096 - SECRET.length])(
  'an error whose text is cut at its limit shows no half of a secret, that begins at %i',
  (at) => {
    const { message } = describeThrown(new Error(`${'x'.repeat(at)}${SECRET}${'y'.repeat(1000)}`), secrets.mask);
    expect(message).toHaveLength(4096);
    expect(message).not.toContain('h');
  },
);

it('an error shows none in its type, and no half of a character', () => {
  const thrown = Object.assign(new Error(`${'x'.repeat(4095)}🙂`), { name: `Bad${SECRET}` });
  const { type, message } = describeThrown(thrown, secrets.mask);
  expect(type).toBe('Bad[secret KEY]');
  expect(message.isWellFormed()).toBe(true);
});

it('an error of a hundred megabytes is not looked through', () => {
  let seen = 0;
  const mask = (text: string): string => {
    seen += text.length;
    return text;
  };
  describeThrown(new Error('x'.repeat(100_000_000)), mask);
  expect(seen).toBeLessThan(100_000);
});

it('a secret that a task throws, says or is given is in no result, event, list of errors or worker', async () => {
  const wrapped = [SECRET, Buffer.from(`me:${SECRET}`).toString('base64'), encodeURIComponent(SECRET).replace('-', '%2d')];
  const run: TaskHandler = (value, context) => {
    context.setStatus(`${'s'.repeat(1020)}${wrapped[value]}`);
    throw Object.assign(new Error(`${wrapped[value]} is wrong`), { name: wrapped[value], cause: new Error(SECRET) });
  };
  const task: TaskDeclaration = { name: 'leak', kind: 'task', description: '', paramsSchema: null, parseParams: (given) => given, run };
  const host = createLocalHost({
    registry: createTaskRegistry([task]),
    ports: { ...systemPorts, secrets },
    ...{ maxStages: 8, maxWorkersPerStage: 10, retentionMaxItems: 100, retentionMaxAgeSeconds: 60 },
    ...{ backlogCapacity: 100, eventsKept: 1000, hookTimeoutSeconds: 1 },
  });
  await host.create({ id: 'p', stages: [{ name: 'S', tasks: ['leak'], taskAttempts: 2, taskWaitSeconds: 0 }] });
  const runtime = host.get('p');
  const { results } = await runtime.run([0, 1, 2], {});
  const shown = JSON.stringify([
    results,
    runtime.events.read(0, 1000, { types: new Set(['status', 'task', 'result', 'pipeline', 'feed']) }).events,
    await runtime.errors(),
    await runtime.snapshot(),
  ]);
  expect(results.map(({ error }) => error?.message)).toEqual(wrapped.map(() => expect.stringContaining('[secret KEY]')));
  for (const text of [...wrapped, 'hunter']) expect(shown).not.toContain(text);
  await host.shutdown('graceful', 1);
});
