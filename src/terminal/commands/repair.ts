import type { Command as Program } from 'commander';
import { type components, dataOf } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { count, plural } from '../format.ts';
import { type Paint, plain } from '../paint.ts';
import { connect, type GlobalOptions } from '../terminal.ts';
import { toInteger } from './feed.ts';

type Groups = components['schemas']['ErrorGroups'];

interface Filters extends GlobalOptions {
  group?: string;
  feed?: string;
  stage?: string;
  type?: string;
  status?: number;
  dryRun?: boolean;
}

export const errors: Command = {
  name: 'errors',
  summary: 'say what failed, grouped by what the failures have in common',
  examples: [
    ['sluice errors orders', 'the groups, those with the most items first'],
    ['sluice retry orders --group GROUP', 'and one of them run again'],
  ],
  define(program, terminal) {
    program
      .argument('<pipeline>')
      .option('--feed <id>', 'only of this feed')
      .option('--stage <name>', 'only of this stage')
      .action(async (pipeline: string) => {
        const flags = optionsOf<Filters>(program);
        const query = { ...(flags.feed !== undefined && { feedId: flags.feed }), ...(flags.stage !== undefined && { stage: flags.stage }) };
        const request = { params: { path: { id: pipeline }, query }, signal: terminal.signal };
        const found = await dataOf(connect(terminal, flags).api.GET('/pipelines/{id}/errors/groups', request));
        if (!flags.json) {
          for (const line of listed(found, terminal.paint)) await terminal.print(line);
          return;
        }
        for (const group of found.groups) await terminal.printData(JSON.stringify(group));
        if (found.otherCount > 0) await terminal.printData(JSON.stringify({ otherCount: found.otherCount }));
      });
  },
};

function listed({ groups, otherCount }: Groups, paint: Paint): string[] {
  if (groups.length === 0 && otherCount === 0) return ['Nothing has failed.'];
  const told = groups.flatMap(({ group, type, stage, sample, count: failed, itemIds, lastAt }) => [
    `${paint.red(count(failed))}  ${paint.bold(plain(group))}  ${plain(type)} in ${plain(stage)}, last ${lastAt}`,
    `    ${plain(sample)}`,
    paint.dim(`    ${itemIds.map(plain).join(', ')}${failed > itemIds.length ? ', …' : ''}`),
  ]);
  return otherCount === 0 ? told : [...told, `${plural(otherCount, 'other item')} failed.`];
}

/** Options that select items, for retry and cancel alike. */
function withFilters(program: Program): Program {
  return program
    .argument('<pipeline>')
    .argument('[items...]', 'only these')
    .option('--group <id>', 'only those of a group of `sluice errors`')
    .option('--feed <id>', 'only of this feed')
    .option('--stage <name>', 'only in this stage')
    .option('--type <type>', 'only those that failed with this type of error')
    .option('--status <number>', 'only those whose error carries this HTTP status', toInteger)
    .option('--dry-run', 'only say how many it would be');
}

function selectionOf(items: readonly string[], { group, feed, stage, type, status }: Filters) {
  return {
    ...(items.length > 0 && { itemIds: [...items] }),
    ...(group !== undefined && { group }),
    ...(feed !== undefined && { feedId: feed }),
    ...(stage !== undefined && { stage }),
    ...(type !== undefined && { errorType: type }),
    ...(status !== undefined && { errorStatus: status }),
  };
}

export const retry: Command = {
  name: 'retry',
  summary: 'run failed items again, from the stage where they failed',
  examples: [
    ['sluice retry orders --dry-run', 'how many it would be'],
    ['sluice retry orders --group GROUP', 'those of a group of `sluice errors orders`'],
    ['sluice retry orders --stage Fetch --status 503', 'those that a server answered with 503'],
    ['sluice retry orders o-17 o-18', 'these items'],
  ],
  define(program, terminal) {
    withFilters(program).action(async (pipeline: string, items: string[]) => {
      const flags = optionsOf<Filters>(program);
      const { dryRun = false } = flags;
      const request = { params: { path: { id: pipeline } }, body: { ...selectionOf(items, flags), dryRun }, signal: terminal.signal };
      const { retried } = await dataOf(connect(terminal, flags).api.POST('/pipelines/{id}/retry', request));
      await (flags.json ? terminal.printData(JSON.stringify({ retried, dryRun })) : terminal.print(String(retried)));
      if (!flags.json) terminal.say(`${plural(retried, 'item')} ${dryRun ? 'would' : 'will'} run again.`);
    });
  },
};

export const cancel: Command = {
  name: 'cancel',
  summary: 'cancel items that have not ended',
  examples: [
    ['sluice cancel orders --feed f7', 'what a feed has left'],
    ['sluice cancel orders --stage Fetch --dry-run', 'how many it would be'],
    ['sluice cancel orders o-17', 'one item'],
    ['sluice cancel orders --all', 'everything'],
  ],
  define(program, terminal) {
    withFilters(program)
      .option('--all', 'everything that has not ended')
      .action(async (pipeline: string, items: string[]) => {
        const flags = optionsOf<Filters & { all?: boolean }>(program);
        const { dryRun = false, all } = flags;
        const selection = selectionOf(items, flags);
        const isEmpty = Object.keys(selection).length === 0;
        if (isEmpty && !all) throw new CommandEnd(EXIT.usage, 'Name items or a filter, or everything with --all.');
        const body = { ...selection, dryRun, ...(isEmpty && { all: true as const }) };
        const request = { params: { path: { id: pipeline } }, body, signal: terminal.signal };
        const { cancelled } = await dataOf(connect(terminal, flags).api.POST('/pipelines/{id}/cancel', request));
        await (flags.json ? terminal.printData(JSON.stringify({ cancelled, dryRun })) : terminal.print(String(cancelled)));
        if (!flags.json) terminal.say(`${plural(cancelled, 'item')} ${dryRun ? 'would be ' : ''}cancelled.`);
      });
  },
};
