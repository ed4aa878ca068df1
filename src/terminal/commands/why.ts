import { type components, dataOf } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { duration } from '../format.ts';
import { plain } from '../paint.ts';
import { connect, type GlobalOptions, type Terminal } from '../terminal.ts';

type Item = components['schemas']['ItemDetail'];

const REASONS: Readonly<Record<components['schemas']['WaitingReason'], string>> = {
  workers: 'for a worker of its stage',
  'task-limit': 'for one of the executions that its task may have at once',
  'rate-limit': 'for the rate limit of its task, or a shared limiter',
  retry: 'for its next attempt',
  'next-stage-full': 'for room in the next stage',
  paused: 'because its stage or the pipeline is paused',
  thread: 'for a thread',
  hand: 'for a hand',
};

export const why: Command = {
  name: 'why',
  summary: 'say where an item is, what it waits for, and how it came there',
  examples: [['sluice why orders o-17', 'its status, its errors and its history']],
  define(program, terminal) {
    program
      .argument('<pipeline>')
      .argument('<item>', 'its id')
      .action(async (pipeline: string, itemId: string) => {
        const flags = optionsOf<GlobalOptions>(program);
        const { api } = connect(terminal, flags);
        const item = await dataOf(
          api.GET('/pipelines/{id}/items/{itemId}', { params: { path: { id: pipeline, itemId } }, signal: terminal.signal }),
        );
        if (flags.json) return terminal.printData(JSON.stringify(item));
        for (const line of explained(item, terminal, Date.now())) await terminal.print(line);
      });
  },
};

/** The item in words. */
export function explained(item: Item, { paint }: Pick<Terminal, 'paint'>, now: number): string[] {
  const {
    id,
    status,
    stage,
    waitingFor,
    error,
    lastError,
    history,
    attempts,
    totalAttempts,
    acceptedAt,
    updatedAt,
    feedId,
    historyTruncated,
  } = item;
  const since = duration((now - Date.parse(updatedAt)) / 1000);
  const colour = status === 'failed' ? paint.red : status === 'completed' ? paint.green : paint.yellow;
  const told = error ?? lastError;
  return [
    `${paint.bold(plain(id))} ${colour(status)} in ${plain(stage)}, since ${since}`,
    ...(waitingFor === null ? [] : [`It waits ${waitText(waitingFor, now)}.`]),
    ...(told === null
      ? []
      : [
          `${error === null ? 'Last error' : 'Error'} in ${plain(told.stage)}, attempt ${told.attempts}: ${plain(told.type)}: ${plain(told.message)}`,
        ]),
    `Fed ${acceptedAt} with the feed ${plain(feedId)}; ${attempts} attempts in this stage, ${totalAttempts} in all.`,
    ...(historyTruncated ? ['Older events are no longer kept.'] : []),
    ...history.map((event) =>
      paint.dim(`  ${event.timestamp}  ${plain(event.stage)}  ${event.status}${event.worker === null ? '' : `  ${plain(event.worker)}`}`),
    ),
  ];
}

function waitText({ reason, until, task, limiter, stage }: NonNullable<Item['waitingFor']>, now: number): string {
  const names = [task, limiter, stage].filter((name) => name !== undefined).map((name) => plain(name));
  const left = until === undefined ? '' : `, ${duration(Math.max(0, Date.parse(until) - now) / 1000)} more`;
  return `${REASONS[reason]}${names.length > 0 ? ` (${names.join(', ')})` : ''}${left}`;
}
