import type { ResultOptions } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { resultWriter } from '../result-writer.ts';
import { connect, type GlobalOptions } from '../terminal.ts';
import { toInteger } from './feed.ts';

interface ResultFlags extends GlobalOptions {
  output: string;
  feed?: string;
  status?: 'completed' | 'failed' | 'cancelled' | 'all';
  after?: number;
  follow?: boolean;
}

export const results: Command = {
  name: 'results',
  summary: 'print results in feed order',
  examples: [
    ['sluice results orders | jq -c .value', 'the values of all completed items'],
    ['sluice results orders --status failed -o csv', 'failed items with their errors'],
    ['sluice results orders --feed f7 --follow', 'one feed, each result when it is there'],
  ],
  define(program, terminal) {
    program
      .argument('<pipeline>')
      .option('-o, --output <format>', 'ndjson or csv', 'ndjson')
      .option('--feed <id>', 'only of this feed')
      .option('--status <status>', 'completed, failed, cancelled or all')
      .option('--after <sequence>', 'only what was fed after this sequenceId', toInteger)
      .option('--follow', 'with --feed: wait for what has not ended')
      .action(async (pipeline: string) => {
        const flags = optionsOf<ResultFlags>(program);
        const { feed, status, after, follow } = flags;
        const options: ResultOptions = {
          ...(feed !== undefined && { feedId: feed }),
          ...(status !== undefined && { status }),
          ...(after !== undefined && { after }),
          ...(follow && { follow }),
          signal: terminal.signal,
        };
        const writer = resultWriter(flags.output, terminal);
        for await (const row of connect(terminal, flags).resultTexts(pipeline, options)) await writer.write(row);
        await writer.end();
      });
  },
};
