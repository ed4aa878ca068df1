import type { RunOptions } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { count, duration } from '../format.ts';
import { openInput } from '../input.ts';
import { createProgress } from '../progress.ts';
import { resultWriter } from '../result-writer.ts';
import { connect, type GlobalOptions } from '../terminal.ts';
import { toInteger } from './feed.ts';

interface RunFlags extends GlobalOptions {
  output: 'ndjson' | 'csv';
  stage?: string;
  priority?: number;
  idField?: string;
  cancel?: boolean;
}

export const run: Command = {
  name: 'run',
  summary: 'feed items and print the result of each as it ends',
  examples: [
    ['sluice run orders orders.ndjson', 'results as NDJSON, in order of completion'],
    ['echo \'{"sku":"A7","quantity":3}\' | sluice run orders | jq .value', 'one item'],
    ['sluice run orders orders.ndjson -o csv > results.csv', 'a table, errors in a column of it'],
  ],
  define(program, terminal) {
    program
      .argument('<pipeline>')
      .argument('[file]', 'NDJSON: a file, or - for stdin', '-')
      .option('-o, --output <format>', 'ndjson or csv', 'ndjson')
      .option('--stage <name>', 'the stage to start from')
      .option('--priority <number>', 'lower runs sooner, by default 100', toInteger)
      .option('--id-field <name>', 'the member that is the id, in place of id')
      .option('--cancel', 'cancel the items that have not ended when this is interrupted')
      .action(async (pipeline: string, file: string) => {
        const flags = optionsOf<RunFlags>(program);
        const { stage, priority, idField, cancel } = flags;
        const writer = resultWriter(flags.output, terminal);
        const progress = createProgress(terminal);
        const options: RunOptions = {
          ...(stage !== undefined && { targetStage: stage }),
          ...(priority !== undefined && { priority }),
          ...(idField !== undefined && { idField }),
          ...(cancel && { cancelOnDisconnect: true }),
          signal: terminal.signal,
        };
        const startedAt = performance.now();
        let [ended, unwell] = [0, 0];
        try {
          for await (const row of connect(terminal, flags).runTexts(pipeline, openInput(file, process.stdin).source, options)) {
            ended++;
            if (row.value.error !== null) unwell++;
            if (terminal.stdout.isTerminal) progress.clear();
            await writer.write(row);
            progress.show(null, `${count(ended)} ended, ${count(unwell)} failed, ${duration((performance.now() - startedAt) / 1000)}`);
          }
          await writer.end();
        } finally {
          progress.clear();
        }
        if (unwell > 0) terminal.exitWith(EXIT.itemsFailed);
      });
  },
};
