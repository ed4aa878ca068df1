import type { FastifyRequest } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formOf } from '../../src/http/routing/accept.ts';
import { create, definition, get, run, startService } from './app-harness.ts';

const asked = (accept: string | undefined) => formOf({ headers: { accept } } as FastifyRequest, ['ndjson', 'sse']) ?? 'json';

describe('Accept', () => {
  it.each([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/*', 'json'],
    ['application/json', 'json'],
    ['text/html, */*;q=0.8', 'json'],
    ['text/csv', 'json'],
    // Named.
    ['application/x-ndjson', 'ndjson'],
    ['application/ndjson', 'ndjson'],
    ['application/jsonl', 'ndjson'],
    ['application/x-jsonlines', 'ndjson'],
    ['Application/X-NDJSON; charset=utf-8', 'ndjson'],
    ['text/event-stream', 'sse'],
    ['application/x-ndjson-seq', 'json'],
    // A name goes before a wildcard, and before JSON if both are as welcome.
    ['application/x-ndjson, */*', 'ndjson'],
    ['application/json, application/x-ndjson', 'ndjson'],
    ['text/event-stream, application/x-ndjson', 'ndjson'],
    ['text/event-stream, */*', 'sse'],
    // Weights.
    ['application/x-ndjson;q=0', 'json'],
    ['application/x-ndjson; q=0.000, text/event-stream', 'sse'],
    ['application/x-ndjson;q=0, */*', 'json'],
    ['application/json, application/x-ndjson;q=0.5', 'json'],
    ['application/json;q=0.4,application/x-ndjson;q=0.5', 'ndjson'],
    ['application/x-ndjson;q=0.5, text/event-stream;q=0.6', 'sse'],
    ['application/x-ndjson;q=0.5, */*', 'json'],
    ['application/x-ndjson;charset=utf-8;Q=0', 'json'],
    ['application/x-ndjson;q=0, application/jsonl', 'ndjson'],
    // Specificity.
    ['application/json;q=0, application/*', 'ndjson'],
    ['application/json;q=0, text/*', 'sse'],
    ['application/*;q=0, */*', 'sse'],
    ['*/*;q=0', 'json'],
    // What cannot be read.
    ['application/x-ndjson;q=2', 'ndjson'],
    [', ;q=0,,', 'json'],
    ['text/csv;header="a, application/json", application/x-ndjson', 'ndjson'],
  ])('%j is %s', (accept, form) => {
    expect(asked(accept)).toBe(form);
  });
});

describe('a list and a run', () => {
  it('heed it, and take every name of NDJSON as a body', async () => {
    const service = await startService();
    onTestFinished(() => service[Symbol.asyncDispose]());
    await create(service, definition('p'));
    await run(service, 'p', [{ id: 'a' }]);
    const ask = (url: string, accept: string) => service.app.inject({ url, headers: { accept } });
    for (const url of ['/pipelines/p/results', '/pipelines/p/items', '/pipelines/p/feeds']) {
      expect((await ask(url, 'application/x-ndjson;q=0')).headers['content-type']).toMatch(/^application\/json/);
      expect((await ask(url, 'application/x-jsonlines')).headers['content-type']).toMatch(/^application\/x-ndjson/);
    }
    for (const type of ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines; charset=utf-8']) {
      const answer = await service.app.inject({
        method: 'POST',
        url: '/pipelines/p/run',
        headers: { 'content-type': type, accept: 'application/x-ndjson;q=0, application/json' },
        payload: '1\n2\n',
      });
      expect([answer.statusCode, answer.json().results.length]).toEqual([200, 2]);
    }
    expect((await get(service, '/pipelines/p/stats')).statusCode).toBe(200);
  });
});

describe('curl without --data-binary', () => {
  const FLAGS = "-H 'content-type: application/x-ndjson' --data-binary @file";

  it.each(['feed', 'run'])('is told of it: %s', async (route) => {
    const service = await startService({ bodyLimitBytes: 1024 });
    onTestFinished(() => service[Symbol.asyncDispose]());
    await create(service, definition('p'));
    const send = async (type: string, payload: string) =>
      (await service.app.inject({ method: 'POST', url: `/pipelines/p/${route}`, headers: { 'content-type': type }, payload })).json();
    const form = await send('application/x-www-form-urlencoded', '{"id":"a"}{"id":"b"}');
    expect(form).toMatchObject({ status: 415, code: 'unsupported-media-type' });
    expect(form.detail).toContain(FLAGS);
    for (const [text, code] of [
      ['{"id":"a"}{"id":"b"}', 'malformed-line'],
      ['[1][2]\n', 'malformed-line'],
      ['{"id":"a"}'.repeat(200), 'line-too-large'],
      [`${'{"id":"a"}'.repeat(200)}\n`, 'line-too-large'],
    ] as const) {
      const problem = await send('application/x-ndjson', text);
      expect(problem.code).toBe(code);
      expect(problem.detail).toContain('--data-binary @file');
    }
    expect((await send('application/x-ndjson', '{"id": oops}')).detail).not.toContain('curl');
  });
});
