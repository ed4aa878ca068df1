/** A model that answers badly is asked again: the job that `retry: per_stage` is for. */
import { describe, expect, it } from 'vitest';
import { runDefined } from './defined.ts';
import { serve } from './http-server.ts';

const schema = { type: 'object', required: ['price'], properties: { price: { type: 'number' } } };
const answers = ['Sure! Here is your JSON:', '{"price":"much"}', '{"price":5}'];

const stageFor = (url: string, retryable: boolean) => ({
  retry: 'per_stage' as const,
  stageAttempts: 3,
  taskWaitSeconds: 0,
  tasks: [
    { task: 'http_request', with: { url, response: 'text' } },
    { task: 'jsonata', with: { expression: '$parseJson(body)', retryable } },
    { task: 'json_schema', with: { schema, retryable } },
  ],
});

describe('[http_request, jsonata, json_schema] with retry: per_stage', () => {
  it('asks again until the answer validates', async () => {
    const server = await serve((_request, response) => response.end(answers[server.seen.length - 1]));
    const { results } = await runDefined(stageFor(server.origin, true), [{ id: 'x' }]);
    expect(results).toMatchObject([{ value: { price: 5 }, error: null }]);
    expect(server.seen).toHaveLength(3);
  });

  it('fails with what was wrong with the last one, when none does', async () => {
    const server = await serve((_request, response) => response.end(answers[1]));
    const { results } = await runDefined(stageFor(server.origin, true), [{ id: 'x' }]);
    expect(results).toMatchObject([
      { error: { type: 'InvalidAnswer', attempts: 3, message: expect.stringContaining('/price must be number') } },
    ]);
    expect(server.seen).toHaveLength(3);
  });

  it('tells the model what was wrong with its last answer', async () => {
    const server = await serve((_request, response) => response.end(answers[server.seen.length - 1]));
    const [ask, ...rest] = stageFor(server.origin, true).tasks as { task: string; with: Record<string, unknown> }[];
    const body = { prompt: 'the price of {{ value.id }}', wrong: '{{ lastError.type = "InvalidAnswer" ? lastError.message : "" }}' };
    const tasks = [{ ...ask, task: 'http_request', with: { ...ask?.with, method: 'POST', body } }, ...rest];
    const { results } = await runDefined({ ...stageFor(server.origin, true), tasks }, [{ id: 'x', value: { id: 'x' } }]);
    expect(results).toMatchObject([{ value: { price: 5 }, error: null }]);
    expect(server.seen.map((seen) => JSON.parse(seen.body))).toEqual([
      { prompt: 'the price of x', wrong: '' },
      { prompt: 'the price of x', wrong: expect.stringContaining('not valid JSON') },
      { prompt: 'the price of x', wrong: expect.stringContaining('/price must be number') },
    ]);
  });

  it('gives a template null for an item of which no attempt has failed', async () => {
    const server = await serve((_request, response) => response.end());
    await runDefined(
      { tasks: [{ task: 'http_request', with: { method: 'POST', url: server.origin, body: { last: '{{ lastError }}' } } }] },
      [1],
    );
    expect(server.seen.map(({ body }) => body)).toEqual(['{"last":null}']);
  });

  it('asks once when the value cannot be another', async () => {
    const server = await serve((_request, response) => response.end(answers[1]));
    const { results } = await runDefined(stageFor(server.origin, false), [{ id: 'x' }]);
    expect(results).toMatchObject([{ error: { type: 'PermanentError', attempts: 1 } }]);
    expect(server.seen).toHaveLength(1);
  });
});
