import { dataOf } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { plain } from '../paint.ts';
import { connect, type GlobalOptions } from '../terminal.ts';
import { toInteger } from './feed.ts';

/** Pausing and resuming differ in a word. */
function switching(name: 'pause' | 'resume', summary: string, examples: Command['examples']): Command {
  return {
    name,
    summary,
    examples,
    define(program, terminal) {
      program
        .argument('<pipeline>')
        .argument('[stage]', 'only this stage')
        .action(async (pipeline: string, stage: string | undefined) => {
          const flags = optionsOf<GlobalOptions>(program);
          const { api } = connect(terminal, flags);
          const { signal } = terminal;
          if (stage === undefined) {
            const data = await dataOf(api.POST(`/pipelines/{id}/${name}`, { params: { path: { id: pipeline } }, signal }));
            await (flags.json ? terminal.printData(JSON.stringify(data)) : terminal.print(plain(data.state)));
          } else {
            const params = { path: { id: pipeline, stage } };
            const data = await dataOf(api.POST(`/pipelines/{id}/stages/{stage}/${name}`, { params, signal }));
            const state = data.pausedStages.includes(stage) ? 'paused' : 'running';
            await (flags.json ? terminal.printData(JSON.stringify(data)) : terminal.print(state));
          }
        });
    },
  };
}

export const pause = switching('pause', 'hand out no more items; running ones finish their stage', [
  ['sluice pause orders', 'the whole pipeline'],
  ['sluice pause orders Price', 'one stage'],
]);

export const resume = switching('resume', 'go on handing out items', [
  ['sluice resume orders', 'the whole pipeline'],
  ['sluice resume orders Price', 'one stage'],
]);

export const scale: Command = {
  name: 'scale',
  summary: 'change the number of workers of a stage while it runs',
  examples: [
    ['sluice scale orders Price 8', 'eight workers, until the definition changes'],
    ['sluice scale orders Price --reset', 'as in the definition'],
  ],
  define(program, terminal) {
    program
      .argument('<pipeline>')
      .argument('<stage>')
      .argument('[workers]', 'their number', toInteger)
      .option('--reset', 'return to the definition')
      .action(async (pipeline: string, stage: string, workers: number | undefined) => {
        const flags = optionsOf<GlobalOptions & { reset?: boolean }>(program);
        if ((workers === undefined) === (flags.reset !== true)) program.error('error: give the number of workers, or --reset');
        const { api } = connect(terminal, flags);
        const request = { params: { path: { id: pipeline, stage } }, signal: terminal.signal };
        const url = '/pipelines/{id}/stages/{stage}';
        const data = await dataOf(workers === undefined ? api.DELETE(url, request) : api.PATCH(url, { ...request, body: { workers } }));
        const { effective, defined } = data;
        if (flags.json) return terminal.printData(JSON.stringify(data));
        await terminal.print(`${plain(stage)}: ${effective.workers} workers, ${defined.workers} in the definition`);
      });
  },
};
