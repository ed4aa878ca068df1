import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Logger } from '../../src/engine/ports.ts';
import type { Loaded } from '../../src/loader/definitions.ts';
import { readDefinitions } from '../../src/loader/definitions.ts';
import { filesDifference, filesHash } from '../../src/loader/files-hash.ts';
import { startPipelines } from '../../src/loader/started-pipelines.ts';
import { livesOf } from '../stores/durable-host.ts';
import { folderWith } from './folder.ts';

const pipeline = (id: string, workers = 1): string => `id: ${id}\nstages: [{ name: A, workers: ${workers}, tasks: [pass] }]\n`;
const read = (files: Record<string, string>): Promise<Loaded> => readDefinitions(folderWith(files));
const kept = (loaded: Loaded): string => JSON.stringify(filesHash(loaded));

it('is the same wherever and in whatever order the same is defined', async () => {
  const one = await read({ 'all.yaml': `${pipeline('a')}---\n${pipeline('b', 2)}` });
  const two = await read({ '1.json': '{"stages":[{"tasks":["pass"],"workers":2,"name":"A"}],"id":"b"}', '2.yml': `# a\n${pipeline('a')}` });
  expect(filesHash(two).hash).toBe(filesHash(one).hash);
  expect(filesDifference(filesHash(two), kept(one))).toBeNull();
  expect(filesDifference(filesHash(one), null)).toBeNull();
});

it('names what is new, other and gone, limiters too', async () => {
  const before = await read({
    'a.yaml': pipeline('a'),
    'b.yaml': pipeline('b'),
    'l.yaml': 'limits: { x: { limit: 1, perSeconds: 1 }, y: { concurrency: 1 } }',
  });
  const now = await read({
    'b.yaml': pipeline('b', 3),
    'c.yaml': pipeline('c'),
    'l.yaml': 'limits: { x: { limit: 2, perSeconds: 1 }, y: { concurrency: 1 } }',
  });
  expect(filesDifference(filesHash(now), kept(before))).toEqual({ added: ['c'], changed: ['b'], removed: ['a'], limiters: ['x'] });
});

it('differs for any two definitions that differ', () => {
  const loadedOf = (definition: unknown) => ({ definitions: [{ definition }], limiters: [] }) as unknown as Loaded;
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (a, b) => {
      const [one, two] = [a, b].map((more) => ({ ...more, id: 'p' }));
      const isSame = isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(two)));
      expect(filesHash(loadedOf(one)).hash === filesHash(loadedOf(two)).hash).toBe(isSame);
    }),
  );
});

it('is kept with what a start has loaded, and one line of the next start says how its files differ', async () => {
  const lives = livesOf({ pass: (value) => value });
  const lines: object[] = [];
  const nothing = (): void => undefined;
  const info = (fields: object, message: string): void => {
    if (message.startsWith('the files define other')) lines.push(fields);
  };
  const logger: Logger = { debug: nothing, warn: nothing, error: nothing, info };
  for (const [files, how] of [
    [{ 'a.yaml': pipeline('a') }, 'stop'],
    [{ 'a.yaml': pipeline('a') }, 'crash'],
    [{ 'a.yaml': pipeline('a', 2), 'b.yaml': pipeline('b') }, 'crash'],
    [{ 'b.yaml': pipeline('b') }, 'stop'],
  ] as const) {
    const life = await lives.begin();
    await startPipelines(starting(life.host) as never, await read(files), logger);
    await life.host.create({ id: `other${lines.length}${how}`, stages: [{ name: 'A', tasks: ['pass'] }] }).catch(() => undefined);
    await life[how]();
  }
  expect(lines).toEqual([
    { added: ['b'], changed: ['a'], removed: [], limiters: [] },
    { added: [], changed: [], removed: ['a'], limiters: [] },
  ]);
});

/** A host that is recovered already. */
function starting(host: Awaited<ReturnType<ReturnType<typeof livesOf>['begin']>>['host']) {
  return {
    recover: async () => undefined,
    load: (definition: unknown) => host.load(definition),
    expectRoom: () => host.expectRoom(),
    keepFiles: (files: string) => host.keepFiles(files),
    get filesLoaded() {
      return host.filesLoaded;
    },
  };
}
