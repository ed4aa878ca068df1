/** The built-in hooks as the `onDone` of a pipeline. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry } from '../../src/engine/index.ts';
import { type Logger, systemPorts } from '../../src/engine/ports.ts';
import type { HookUse } from '../../src/schemas/definition.ts';
import { builtInTasks, expressionLanguage } from '../../tasks/index.ts';
import { HOST } from '../stores/durable-host.ts';
import { serve } from './http-server.ts';

/** Feeds two items, one of which fails, through a pipeline with this hook; resolves with what was logged when the hook has ended. */
async function done(onDone: HookUse): Promise<{ level: string; text: string; fields: object }[]> {
  const logs: { level: string; text: string; fields: object }[] = [];
  const log = (level: string) => (fields: object, text: string) => void logs.push({ level, text, fields });
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const host = createLocalHost({
    ...HOST,
    registry: createTaskRegistry(builtInTasks({ outputDir: 'unused', httpAllowHosts: ['127.0.0.1'] })),
    ports: { ...systemPorts, expressions: expressionLanguage, logger },
  });
  onTestFinished(async () => void (await host.shutdown('force', 1)));
  const schema = { task: 'json_schema', with: { schema: { type: 'number' } } };
  await host.create({ id: 'p', stages: [{ name: 'S', taskAttempts: 1, tasks: [schema] }], onDone });
  await host.get('p').feed([1, 'x'], { feedId: 'batch 7' });
  await host.get('p').waitForFeed('batch 7', {});
  await host.shutdown('drain', 30);
  return logs;
}

const view = expect.objectContaining({
  ...{ pipeline: 'p', feedId: 'batch 7', total: 2, completed: 1, failed: 1, cancelled: 0, duplicates: 0, done: true },
  results: '/pipelines/p/feeds/batch%207/results',
});

describe('http_notify', () => {
  it('sends the counts of the feed and where its results are', async () => {
    const server = await serve((_request, reply) => reply.end());
    expect(await done({ task: 'http_notify', with: { url: server.origin } })).toEqual([]);
    expect(server.seen.map(({ method, body }) => [method, JSON.parse(body)])).toEqual([
      ['POST', { pipeline: 'p', feedId: 'batch 7', value: view }],
    ]);
  });

  it('takes templates over them', async () => {
    const server = await serve((_request, reply) => reply.end());
    const url = `${server.origin}/done/{{ $encodeUrlComponent(value.feedId) }}`;
    const body = { text: '{{ value.completed }} of {{ value.total }}', at: 'http://sluice{{ value.results }}' };
    await done({ task: 'http_notify', with: { url, body } });
    expect(server.seen.map((seen) => [seen.url, JSON.parse(seen.body)])).toEqual([
      ['/done/batch%207', { text: '1 of 2', at: 'http://sluice/pipelines/p/feeds/batch%207/results' }],
    ]);
  });

  it('that is refused is logged, and is not sent again', async () => {
    const server = await serve((_request, reply) => reply.writeHead(500).end());
    const logs = await done({ task: 'http_notify', with: { url: server.origin } });
    expect(server.seen).toHaveLength(1);
    expect(logs.filter(({ level }) => level === 'warn')).toEqual([
      {
        level: 'warn',
        text: 'the hook onDone threw; the feed is not affected',
        fields: { pipeline: 'p', feed: 'batch 7', error: expect.objectContaining({ message: `${server.origin} answered 500` }) },
      },
    ]);
  });
});

describe.each([
  ['log_success', 'info'],
  ['log_failure', 'warn'],
  ['log_skip', 'info'],
])('%s', (task, level) => {
  it('logs the feed and its counts', async () => {
    expect(await done(task)).toEqual([{ level, text: 'feed done', fields: { pipeline: 'p', feedId: 'batch 7', value: view } }]);
    const use = { task, with: { level: 'error' as const, message: '{{ value.feedId }} is done' } };
    expect(await done(use)).toEqual([expect.objectContaining({ level: 'error', text: 'batch 7 is done' })]);
  });
});
