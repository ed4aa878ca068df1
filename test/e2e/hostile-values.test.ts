import { beforeAll, describe, expect, it } from 'vitest';
import { type ServerProcess, startServer } from './server.ts';

const HEAP_MB = 128;
const prices = Array.from({ length: 30_000 }, (_, i) => (i * 7919) % 30_011);
const records = (count: number) => Array.from({ length: count }, (_, i) => ({ id: i % 400, n: i, text: `record ${i}` }));

const jsonata = (expression: string) => ({ task: 'jsonata', with: { expression } });
/** For what is to come to its end, however busy the machine is. */
const patient = (expression: string) => ({ task: 'jsonata', with: { expression, timeoutSeconds: 60 } });
const pipeline = (id: string, task: object) => ({ id, stages: [{ name: 'S', workers: 4, taskAttempts: 3, tasks: [task] }] });

/** What ended the service, or held it up: an expression or a schema, a value, and what becomes of its item. */
const cases: [name: string, task: object, value: unknown, message: RegExp | null][] = [
  ['sorts 30 000 numbers', patient('$count($sort(prices))'), { prices }, null],
  ['orders 15 000 objects', patient('$count(records^(>n))'), { records: records(15_000) }, null],
  ['looks for what is distinct', patient('$count($distinct(records))'), { records: records(15_000) }, null],
  ['spreads', patient('$count($spread(records))'), { records: records(15_000) }, null],
  ['pads', jsonata('$pad("x", 500000000)'), {}, /text limit/],
  ['joins', jsonata('a@$x.b@$y.c@$z.{"x": $x, "y": $y, "z": $z}'), { a: records(300), b: records(300), c: records(300) }, /limit|timeout/i],
  // Which of two limits is met first depends on what an evaluator has not collected yet.
  ['doubles a text', jsonata('($f := function($s) { $f($s & $s) }; $f("ab"))'), {}, /(?:text|memory) limit/],
  ['doubles a list', jsonata('($f := function($s) { $f($append($s, $s)) }; $f([1..1000].{"n": $}))'), {}, /limit|maximum sequence length/i],
  ['makes an object of a million members', jsonata('[1..900000]{$string($): [$, $, $]}'), {}, /limit|timeout/i],
  ['matches a pattern that backtracks', patient('$contains(text, /^(a+)+$/)'), { text: `${'a'.repeat(50)}!` }, null],
  ['matches one that looks ahead', jsonata('$contains(text, /^(a+)+(?=b)$/)'), { text: `${'a'.repeat(50)}!` }, /time limit/],
  [
    'evaluates what the value says',
    jsonata('$eval(text)'),
    { text: '($f := function($s) { $f($s & $s) }; $f("ab"))' },
    /(?:text|memory) limit/,
  ],
  [
    'checks a url',
    { task: 'json_schema', with: { schema: { format: 'url' } } },
    `http://${'a@'.repeat(49_000)}`,
    /must match format "url"/,
  ],
  ['checks that items are unique', { task: 'json_schema', with: { schema: { uniqueItems: true } } }, [...Array(60_000).keys()], null],
  ['checks a pattern', { task: 'json_schema', with: { schema: { pattern: '^(a|aa)+$' } } }, `${'a'.repeat(60)}!`, /must match pattern/],
];

describe(`a service with a heap of ${HEAP_MB} MB`, () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await startServer({
      NODE_OPTIONS: `--max-old-space-size=${HEAP_MB} --disable-warning=ExperimentalWarning`,
      BODY_LIMIT_BYTES: '4000000',
    });
    await server.post('/pipelines', pipeline('other', jsonata('{ "n": n + 1 }')));
  }, 30_000);

  it.each(cases)(
    'that %s goes on, and so do others',
    async (_name, task, value, message) => {
      const id = `p${Math.abs(
        JSON.stringify(task)
          .split('')
          .reduce((hash, c) => (hash * 31 + c.charCodeAt(0)) | 0, 7),
      )}`;
      expect((await server.post('/pipelines', pipeline(id, task))).status).toBe(201);
      const hostile = server.post(`/pipelines/${id}/run`, { items: [{ id: 'hostile', value }] });
      const other = server.post('/pipelines/other/run', { items: Array.from({ length: 50 }, (_each, n) => ({ n })) });
      const { results: others } = (await other).body;
      expect(others.map(({ value: found }: { value: unknown }) => found)).toEqual(Array.from({ length: 50 }, (_each, n) => ({ n: n + 1 })));
      const [result] = (await hostile).body.results;
      if (message === null) expect(result.error).toBeNull();
      else expect(result.error).toMatchObject({ type: 'PermanentError', attempts: 1, message: expect.stringMatching(message) });
      expect((await server.get('/livez')).status).toBe(200);
    },
    60_000,
  );

  it('ends when it is asked to while an expression spins', async () => {
    await server.post(
      '/pipelines',
      pipeline('spin', { task: 'jsonata', with: { expression: '$contains(text, /^(a+)+(?=b)$/)', timeoutSeconds: 60 } }),
    );
    await server.post('/pipelines/spin/feed', { items: [{ text: `${'a'.repeat(60)}!` }] });
    const answer = await server.post('/shutdown', { mode: 'force', timeoutSeconds: 2 });
    expect(answer.status).toBe(202);
    await server.endedWell();
  }, 30_000);
});
