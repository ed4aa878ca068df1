import { type components, dataOf, type Sluice } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { count, table } from '../format.ts';
import { plain } from '../paint.ts';
import { connect, type Terminal } from '../terminal.ts';

type Summary = components['schemas']['PipelineSummary'];

export const ls: Command = {
  name: 'ls',
  summary: 'list the pipelines with their state and counts',
  examples: [
    ['sluice ls', 'all pipelines'],
    ['sluice ls --json | jq .id', 'one JSON object a line'],
  ],
  define(program, terminal) {
    program.action(async () => {
      const options = optionsOf(program);
      const pipelines = await allPipelines(connect(terminal, options), terminal.signal);
      if (options.json) for (const pipeline of pipelines) await terminal.printData(JSON.stringify(pipeline));
      else for (const line of lines(pipelines, terminal)) await terminal.print(line);
    });
  },
};

export async function allPipelines({ api }: Sluice, signal: AbortSignal): Promise<Summary[]> {
  const all: Summary[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: 1000, ...(cursor !== undefined && { cursor }) };
    const page = await dataOf(api.GET('/pipelines', { params: { query }, signal }));
    all.push(...page.pipelines);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

function lines(pipelines: readonly Summary[], { paint }: Terminal): string[] {
  if (pipelines.length === 0) return ['There are no pipelines.'];
  const rows = pipelines.map(({ id, state, itemsProcessed, itemsFailed, itemsInFlight, stages }) => [
    plain(id),
    state === 'running' ? paint.green(state) : paint.yellow(state),
    count(itemsInFlight),
    count(itemsProcessed),
    itemsFailed > 0 ? paint.red(count(itemsFailed)) : '0',
    stages.map(plain).join(' → '),
  ]);
  const head = ['PIPELINE', 'STATE', 'IN FLIGHT', 'PROCESSED', 'FAILED', 'STAGES'].map(paint.dim);
  return table([head, ...rows], new Set([2, 3, 4]));
}
