import { describe, expect, it } from 'vitest';
import { oneStage, outcomesOf } from './try-files.ts';

const messages = (outcome: { faults: { path: string; message: string }[] } | undefined): string[] =>
  (outcome?.faults ?? []).map(({ path, message }) => `${path} ${message}`);

const fetching = oneStage(
  "[{ task: http_request, with: { url: 'https://api.example.com/{{ value.n }}', into: answer, timeoutSeconds: 30 } }]",
);

describe('runTest', () => {
  it('compares the results of items in their order, whole or in part, and errors by the members that are named', async () => {
    const [right, wrong] = await outcomesOf(
      oneStage('[{ task: json_schema, with: { schema: { type: object, required: [n] } } }]'),
      `tests:
  - name: right
    items: [{ id: x, value: { n: 1, m: [1, 2] } }, { id: y, value: {} }]
    results:
      - { id: x, value: { n: 1, m: [1, 2] }, contains: { m: [1, 2] } }
      - { error: { type: PermanentError, message: required property, attempts: 1, stage: A } }
  - name: wrong
    items: [{ id: x, value: { n: 1 } }, { id: y, value: {} }, { id: z, value: { n: 3, m: 1 } }, { id: u, value: { n: 4 } }]
    results:
      - { id: x, value: { n: 1, m: 2 } }
      - { id: y, value: {} }
      - { id: z, error: { type: Error } }
      - { id: v, contains: { n: 5 } }
`,
    );
    expect(messages(right)).toEqual([]);
    expect(messages(wrong)).toEqual([
      '/results/0/value is {"n":1,"m":2}, but x has {"n":1}',
      expect.stringMatching(/^\/results\/1 expects y to complete, but it failed with PermanentError: /),
      '/results/2/error expects z to fail, but it completed with {"n":3,"m":1}',
      '/results/3/id is "v", but the item is "u"',
    ]);
  });

  it('expects every item to complete where no results are given, and as many results as items where they are', async () => {
    const [all, fewer] = await outcomesOf(
      oneStage('[{ task: json_schema, with: { schema: { type: object } } }]'),
      'tests:\n  - { name: a, items: [{}, 1] }\n  - { name: b, items: [{}, {}], results: [{}] }\n',
    );
    expect(messages(all)).toEqual([expect.stringMatching(/^\/results\/1 expects .* to complete/)]);
    expect(messages(fewer)).toEqual(['/results has 1 results, but there are 2 items']);
  });

  it('answers requests as the stand-ins say, each item in turn, and tells what matches none', async () => {
    const [told, unmatched] = await outcomesOf(
      fetching,
      `http:
  - { url: 'https://api.example.com/*', replies: [{ json: { from: the file } }] }
tests:
  - name: told
    http:
      - { url: 'https://api.example.com/1', method: GET, requests: 3, replies: [{ status: 500 }, { error: the line is dead }, { json: { is: one }, headers: { X-Page: '7' } }] }
    items: [{ id: a, value: { n: 1 } }, { id: b, value: { n: 2 } }]
    results: [{ contains: { answer: { status: 200, body: { is: one }, headers: { x-page: '7' } } } }, { contains: { answer: { body: { from: the file } } } }]
  - name: unmatched
    http: [{ url: 'https://api.example.com/*', method: POST, requests: 1, replies: [{}] }, { url: '*', body: { n: 3 }, replies: [{}] }]
    items: [{ id: a, value: { n: 2 } }]
`.replace("- { url: 'https://api.example.com/*', replies", "- { url: 'https://api.example.com/2', replies"),
    );
    expect(messages(told)).toEqual([]);
    expect(told?.requests).toBe(4);
    expect(unmatched?.requests).toBe(1);
    expect(messages(unmatched)).toEqual(['/http/0 expects 1 requests of https://api.example.com/*, but there were 0']);
  });

  it('fails a test whose request no stand-in matches, and sends nothing', async () => {
    const [outcome] = await outcomesOf(
      fetching,
      'tests: [{ name: a, items: [{ id: a, value: { n: 1 } }], results: [{ error: { type: UnmatchedRequest, attempts: 1 } }] }]\n',
    );
    expect(messages(outcome)).toEqual(['/http has no stand-in for GET https://api.example.com/1']);
  });

  it('takes no time for retries, holds of servers, answers, time limits and windows, but counts them', async () => {
    const began = performance.now();
    const [retries, slow, late] = await outcomesOf(
      fetching.replace(
        '    tasks',
        '    taskAttempts: 3\n    taskWaitSeconds: 600\n    backoff: exponential\n    maxWaitSeconds: 7200\n    tasks',
      ),
      `tests:
  - name: retries
    http: [{ url: '*', replies: [{ status: 500 }, { status: 503, headers: { retry-after: '3000' } }, {}] }]
    items: [{ id: a, value: { n: 1 } }]
    seconds: { min: 3600, max: 3600.5 }
  - name: slow
    http: [{ url: '*', replies: [{ afterSeconds: 25 }] }]
    items: [{ id: a, value: { n: 1 } }]
    seconds: { min: 25, max: 25.5 }
  - name: late
    http: [{ url: '*', replies: [{ afterSeconds: 31 }] }]
    items: [{ id: a, value: { n: 1 } }]
    results: [{ error: { type: HttpTimeout, message: no complete response within 30 s, attempts: 3 } }]
    seconds: { min: 1890, max: 1890.5 }
`,
    );
    expect([retries, slow, late].map(messages)).toEqual([[], [], []]);
    expect(performance.now() - began).toBeLessThan(60_000);
  });

  it('keeps to rate limits of stages, of tasks and of limiters by its own clock', async () => {
    const task = 'export default { rateLimit: { limit: 2, perSeconds: 60 }, run: (value) => value };';
    const [stage] = await outcomesOf(
      oneStage('[hash]', '    workers: 5\n    taskRateLimits: { hash: { limit: 3, perSeconds: 100 } }\n'),
      'tests: [{ name: a, items: [1], repeat: 10, seconds: { min: 300, max: 301 } }]\n',
    );
    const [own] = await outcomesOf(
      oneStage('[slowly, slowly]'),
      'tests: [{ name: a, items: [1], repeat: 3, seconds: { min: 120, max: 121 } }]\n',
      { 'slowly.mjs': task },
    );
    const limiters = 'limits: { shared: { limit: 10, perSeconds: 50, weight: value.w } }\n';
    const [shared] = await outcomesOf(
      `${limiters}pipelines:\n  - id: a\n    stages: [{ name: A, workers: 4, tasks: [{ task: hash, limiter: shared }] }]\n`,
      'tests: [{ name: a, items: [{ id: x, value: { w: 5 } }], repeat: 5, seconds: { min: 100, max: 101 } }]\n',
    );
    expect([stage, own, shared].map(messages)).toEqual([[], [], []]);
  });

  it('has sleep take none, and what the own tasks do as long as it does', async () => {
    const work = 'export default { async run(value) { await new Promise((resolve) => setTimeout(resolve, 30)); return value + 1; } };';
    const [outcome] = await outcomesOf(
      oneStage('[{ task: sleep, with: { seconds: 3600 } }, work]'),
      'tests: [{ name: a, items: [1], results: [{ value: 2 }], seconds: { min: 3600.02, max: 3700 } }]\n',
      { 'work.mjs': work },
    );
    expect(messages(outcome)).toEqual([]);
  });

  it('ends an own task that hangs by its time limit, and one in a thread', async () => {
    const hang = 'export default { run: () => new Promise(() => {}) };';
    const spin = 'export default { thread: true, run: (value) => { if (value === 1) for (;;); return value; } };';
    const definition = oneStage('[hang]', '    taskTimeoutSeconds: 0.2\n    taskAttempts: 2\n    taskWaitSeconds: 100\n');
    const [hung] = await outcomesOf(
      definition,
      'tests: [{ name: a, items: [1], results: [{ error: { type: TaskTimeoutError, attempts: 2 } }], seconds: { min: 100.4, max: 102 } }]\n',
      { 'hang.mjs': hang },
    );
    const [spun] = await outcomesOf(
      definition.replace('hang', 'spin'),
      'tests: [{ name: a, items: [1, 2], results: [{ error: { type: TaskTimeoutError } }, { value: 2 }] }]\n',
      { 'spin.mjs': spin },
    );
    expect(messages(hung)).toEqual([]);
    expect(messages(spun)).toEqual([]);
  });

  it('has the secrets of its file, and jitter that is the same each time', async () => {
    const definition = fetching
      .replace("{{ value.n }}'", "{{ secrets.TOKEN }}'")
      .replace('    tasks', '    jitter: 0.5\n    taskWaitSeconds: 1000\n    tasks');
    const tests =
      "secrets: { TOKEN: a-secret-of-tests }\ntests:\n  - { name: a, http: [{ url: 'https://api.example.com/a-secret-of-tests', replies: [{ status: 500 }, {}] }], items: [{}] }\n";
    const [[first], [second]] = [await outcomesOf(definition, tests), await outcomesOf(definition, tests)];
    expect(messages(first)).toEqual([]);
    expect(Math.round(first?.seconds ?? 0)).toBe(Math.round(second?.seconds ?? -1));
    expect(first?.seconds).toBeGreaterThan(500);
  });

  it('writes no files of file_append where the service would', async () => {
    const [outcome] = await outcomesOf(
      oneStage('[{ task: file_append, with: { file: out.ndjson } }]'),
      'tests: [{ name: a, items: [1], results: [{ value: 1 }] }]\n',
    );
    expect(messages(outcome)).toEqual([]);
  });
});
