import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config.ts';
import { readDefinitions } from '../../src/loader/definitions.ts';
import { folderWith } from './folder.ts';

const one = (id: string): string => `id: ${id}\nstages:\n  - { name: Only, tasks: [hash] }\n`;
const idsOf = async (path: string): Promise<string[]> => (await readDefinitions(path)).definitions.map(({ definition }) => definition.id);

/** The faults without the folder, which is another one in each test. */
async function faultsIn(folder: string, path = folder): Promise<string[]> {
  const error = await readDefinitions(path).then(
    () => expect.fail('the definitions are fine'),
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).faults.map((fault) => fault.replaceAll(`${folder}/`, ''));
}

describe('reading', () => {
  it('takes a YAML file, with the defaults filled in and its place', async () => {
    const folder = folderWith({ 'a.yaml': `# first\n${one('a')}` });
    const {
      definitions: [loaded],
    } = await readDefinitions(join(folder, 'a.yaml'));
    expect(loaded?.definition).toMatchObject({ id: 'a', collectResults: true, stages: [{ name: 'Only', workers: 1, taskAttempts: 3 }] });
    expect(loaded?.source).toBe(`${folder}/a.yaml:2`);
  });

  it('takes the YAML and JSON files of a folder in the order of their names, and leaves others alone', async () => {
    const folder = folderWith({
      'b.json': JSON.stringify({ id: 'b', stages: [{ name: 'S', tasks: ['hash'] }] }, null, '\t'),
      'c.yml': one('c'),
      'a.yaml': one('a'),
      'README.md': '# not a definition',
      '.hidden.yaml': 'nonsense: [',
      'deeper/d.yaml': one('d'),
    });
    expect(await idsOf(folder)).toEqual(['a', 'b', 'c']);
  });

  it('takes several documents, lists and { pipelines } in one file', async () => {
    const list = `- ${one('c').replaceAll('\n', '\n  ')}\n`;
    const folder = folderWith({
      'all.yaml': `${one('a')}---\n# nothing here\n---\n${list}---\npipelines:\n  - id: d\n    stages: [{ name: S, tasks: [hash] }]\n`,
    });
    expect(await idsOf(folder)).toEqual(['a', 'c', 'd']);
  });

  it('takes an empty file as no definition', async () => {
    expect(await idsOf(folderWith({ 'a.yaml': '', 'b.yaml': '# later\n', 'c.yaml': 'null\n', 'd.yaml': '[]\n' }))).toEqual([]);
  });

  it('takes a byte order mark, anchors and aliases', async () => {
    const text = 'pipelines:\n  - &a { id: a, stages: &s [{ name: S, tasks: [hash] }] }\n  - { id: b, stages: *s }\n';
    expect(await idsOf(folderWith({ 'a.yaml': `\uFEFF${text}` }))).toEqual(['a', 'b']);
  });
});

describe('a path with nothing there', () => {
  it('is no definitions when nobody asked for it', async () => {
    expect(await readDefinitions(join(folderWith(), 'none'), { mayBeMissing: true })).toEqual({ definitions: [], limiters: [] });
  });

  it('is a fault when it was asked for', async () => {
    const folder = folderWith();
    expect(await faultsIn(folder, join(folder, 'none'))).toEqual([expect.stringContaining('no such file')]);
  });
});

describe('a fault', () => {
  it('names its file, line and place, and all faults of all files are listed', async () => {
    const folder = folderWith({
      'a.yaml': 'id: a b\nstages:\n  - name: S\n    workers: 0\n    tasks: []\n    speed: 9\n',
      'b.json': '{\n  "id": "b"\n}',
      'c.yaml': 'pipelines:\n  - id: c\n    stages: [{ name: S, tasks: [hash] }]\n  - 17\n',
    });
    const faults = await faultsIn(folder);
    expect(faults.map((fault) => fault.split(' ').slice(0, 2).join(' '))).toEqual([
      'a.yaml:1: /id',
      'a.yaml:4: /stages/0/workers',
      'a.yaml:5: /stages/0/tasks',
      'a.yaml:6: /stages/0/speed',
      'b.json:1: /stages',
      'c.yaml:4: /pipelines/1',
    ]);
  });

  it('is a key that stands twice, in JSON too', async () => {
    const folder = folderWith({ 'a.yaml': `${one('a')}id: b\n`, 'b.json': '{\n"id": "x",\n"id": "y"}' });
    expect(await faultsIn(folder)).toEqual(['a.yaml:4: Map keys must be unique', 'b.json:3: Map keys must be unique']);
  });

  it('is a text that is no YAML, or no JSON in a .json file', async () => {
    const folder = folderWith({ 'a.yaml': 'id: [a\n', 'b.json': 'id: b\n' });
    const [yaml, json] = await faultsIn(folder);
    expect(yaml).toMatch(/^a.yaml:\d+: /);
    expect(json).toMatch(/^b.json: .*is not valid JSON$/s);
  });

  it('is a tag that means nothing here', async () => {
    expect(await faultsIn(folderWith({ 'a.yaml': one('a').replace('id: a', 'id: !env NAME') }))).toEqual([
      'a.yaml:1: Unresolved tag: !env',
    ]);
  });

  it('is a file of aliases that would grow to billions of values', async () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 10; level++)
      lines.push(
        `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      );
    expect(await faultsIn(folderWith({ 'a.yaml': lines.join('\n') }))).toEqual([expect.stringMatching(/^a.yaml: Excessive alias count/)]);
  });

  it('is an alias to nothing', async () => {
    expect(await faultsIn(folderWith({ 'a.yaml': 'id: *nothing\n' }))).toEqual([expect.stringContaining('a.yaml')]);
  });

  it('is an id that two definitions have', async () => {
    const folder = folderWith({ 'a.yaml': one('same'), 'b.yaml': `\n${one('same')}` });
    expect(await faultsIn(folder)).toEqual(['b.yaml:2: the id "same" is taken by a.yaml:1']);
  });

  it('is a field beside the pipelines that does not exist', async () => {
    const folder = folderWith({ 'a.yaml': 'limit: {}\npipelines: []\n', 'b.yaml': 'pipelines: {}\n' });
    expect(await faultsIn(folder)).toEqual(['a.yaml:1: /limit is an unknown field', 'b.yaml:1: /pipelines must be a list']);
  });

  it('is a file that cannot be read', async () => {
    const folder = folderWith();
    symlinkSync('nothing', join(folder, 'a.yaml'));
    expect(await faultsIn(folder)).toEqual([expect.stringMatching(/^a.yaml: ENOENT/)]);
  });
});

describe('limits of a definition', () => {
  it('are limiters of the file, wherever the definition stands', async () => {
    const stages = 'stages: [{ name: A, tasks: [echo] }]';
    const folder = folderWith({
      'a.yaml': `id: one\nlimits:\n  api: { concurrency: 2 }\n${stages}\n`,
      'b.yaml': `- id: two\n  limits: { api: { concurrency: 2 }, other: { concurrency: 1 } }\n  ${stages}\n`,
      'c.json':
        '{ "limits": { "last": { "concurrency": 1 } }, "pipelines": [{ "id": "three", "limits": { "api": { "concurrency": 2 } }, "stages": [{ "name": "A", "tasks": ["echo"] }] }] }',
    });
    const { definitions, limiters } = await readDefinitions(folder);
    expect(definitions.map(({ definition }) => [definition.id, 'limits' in definition])).toEqual([
      ['one', false],
      ['two', false],
      ['three', false],
    ]);
    expect(limiters.map(({ name, settings, source }) => [name, settings, source.split('/').at(-1)])).toEqual([
      ['api', { concurrency: 2 }, 'a.yaml:3'],
      ['other', { concurrency: 1 }, 'b.yaml:2'],
      ['last', { concurrency: 1 }, 'c.json:1'],
    ]);
  });

  it('are checked with everything else, and defined one way only', async () => {
    const stages = 'stages: [{ name: A, tasks: [echo] }]';
    const folder = folderWith({
      'a.yaml': `id: one\nlimits:\n  api: { concurrency: 0 }\n${stages}\n`,
      'b.yaml': `id: two\nlimits:\n  twice: { concurrency: 1 }\n${stages}\n`,
      'c.yaml': `limits:\n  twice: { concurrency: 2 }\n`,
    });
    expect(await faultsIn(folder)).toEqual([
      expect.stringMatching(/^a.yaml:3: [/]limits[/]api[/]concurrency /),
      expect.stringMatching(/^c.yaml:2: the limiter "twice" is taken by .*b.yaml:3$/),
    ]);
  });
});

describe('the section limits', () => {
  it('holds limiters by name, beside pipelines or alone', async () => {
    const folder = folderWith({
      'a.yaml': 'limits:\n  api: { concurrency: 2, limit: 5, perSeconds: 1.5, key: metadata.customer, weight: value.n }\npipelines: []\n',
      'b.yaml': 'limits:\n  other:\n    concurrency: 1\n',
    });
    const { limiters } = await readDefinitions(folder);
    expect(limiters.map(({ name, settings }) => [name, settings])).toEqual([
      ['api', { concurrency: 2, limit: 5, perSeconds: 1.5, key: 'metadata.customer', weight: 'value.n' }],
      ['other', { concurrency: 1 }],
    ]);
    expect(limiters.map(({ source }) => source)).toEqual([expect.stringMatching(/a\.yaml:2$/), expect.stringMatching(/b\.yaml:3$/)]);
  });

  it('is refused with every fault in it', async () => {
    const folder = folderWith({
      'a.yaml':
        'limits:\n  none: {}\n  half: { limit: 5 }\n  light: { concurrency: 1, weight: n }\n  "a b": { concurrency: 1 }\n  zero: { concurrency: 0 }\n',
      'b.yaml': 'limits: { twice: { concurrency: 1 } }\n',
      'c.yaml': 'limits: { twice: { concurrency: 2 } }\n',
    });
    expect(await faultsIn(folder)).toEqual([
      'a.yaml:2: /limits/none needs "concurrency", or "limit" and "perSeconds"',
      'a.yaml:3: /limits/half needs both "limit" and "perSeconds", or neither',
      'a.yaml:4: /limits/light/weight has a "weight" without a "limit" that it could count in',
      expect.stringMatching(/^a.yaml:5: [/]limits[/]a b /),
      expect.stringMatching(/^a.yaml:6: [/]limits[/]zero[/]concurrency /),
      expect.stringMatching(/^c.yaml:1: the limiter "twice" is taken by .*b.yaml:1$/),
    ]);
  });
});

describe('what stands in YAML otherwise than it was meant', () => {
  const stage = (line: string): string =>
    `id: a\nstages:\n  - name: Only\n    tasks:\n      - task: http_request\n        with:\n          ${line}\n`;

  it.each([
    'url: {{ value.url }}',
    'url: {{ value.url }}/orders',
    'headers: { x: {{ value.x }} }',
    'successStatuses: [{{ value.status }}]',
    'url: {{ $a ? value.b : value.c }}',
  ])('says that %s must be in quotes', async (line) => {
    const [fault, ...others] = await faultsIn(folderWith({ 'a.yaml': stage(line) }));
    expect(fault).toMatch(/^a.yaml:7: a template must be in quotes, .*"\{\{ value.url \}\}"$/);
    expect(others).toEqual([]);
  });

  it('says where a key is none', async () => {
    expect(await faultsIn(folderWith({ 'a.yaml': 'id: a\n? [1, 2]\n: x\n' }))).toEqual([
      expect.stringMatching(/^a.yaml:2: a key must be a text/),
    ]);
  });

  it('refuses what is not UTF-8, and goes on with the next file', async () => {
    const folder = folderWith({ 'c.yaml': 'id: [' });
    writeFileSync(join(folder, 'a.yaml'), Buffer.from(one('caf\u00e9'), 'latin1'));
    writeFileSync(join(folder, 'b.json'), Buffer.from(`\ufeff${JSON.stringify({ id: 'b' })}`, 'utf16le'));
    expect(await faultsIn(folder)).toEqual(['a.yaml: is not in UTF-8', 'b.json: is not in UTF-8', expect.stringMatching(/^c.yaml:/)]);
  });

  it('merges mappings', async () => {
    const text = `pipelines:
  - id: a
    stages:
      - &fetch { name: Fetch, tasks: [hash], workers: 4 }
      - { <<: *fetch, name: Again, workers: 2 }
      - <<: [*fetch, { taskAttempts: 7 }]
        name: Third
`;
    const { definitions } = await readDefinitions(folderWith({ 'a.yaml': text }));
    expect(definitions[0]?.definition.stages).toMatchObject([
      { name: 'Fetch', workers: 4, taskAttempts: 3 },
      { name: 'Again', workers: 2, tasks: ['hash'] },
      { name: 'Third', workers: 4, taskAttempts: 7 },
    ]);
    expect(await faultsIn(folderWith({ 'a.yaml': 'id: a\nstages:\n  - name: S\n    <<: 5\n' }))).toEqual([
      'a.yaml:4: what << merges must be a mapping, or a list of mappings',
    ]);
  });

  it.each(['1050118621198921729', '-9007199254740993', '0x20000000000001'])(
    'refuses the integer %s, which a number cannot hold',
    async (source) => {
      const place = (value: string): string => stage(`url: http://example.com/\n          body: { id: ${value} }`);
      expect(await faultsIn(folderWith({ 'a.yaml': place(source) }))).toEqual([
        `a.yaml:8: the integer ${source} is more than a number can hold exactly: put it in quotes`,
      ]);
      expect(await idsOf(folderWith({ 'a.yaml': place(`"${source}"`) }))).toEqual(['a']);
      expect(await idsOf(folderWith({ 'a.yaml': place('9007199254740992') }))).toEqual(['a']);
    },
  );

  it('tells the line of what a pointer names, also to who finds a fault later', async () => {
    const { definitions } = await readDefinitions(folderWith({ 'a.yaml': `# first\n${stage('url: "{{ value.url }}"')}` }));
    const place = (pointer: string): string | undefined => definitions[0]?.place(pointer).split('/').at(-1);
    expect(['', '/stages/0/tasks/0', '/stages/0/tasks/0/with/url', '/stages/0/tasks/0/with/none'].map(place)).toEqual([
      'a.yaml:2',
      'a.yaml:6',
      'a.yaml:8',
      'a.yaml:8',
    ]);
  });
});
