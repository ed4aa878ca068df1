import type { PlacedFault } from '../../loader/definitions.ts';
import { type Command, optionsOf } from '../command.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { plural } from '../format.ts';
import { plain } from '../paint.ts';
import { orUsage } from '../setup-fault.ts';
import type { Terminal } from '../terminal.ts';

interface Flags {
  tasks?: string;
  assumeSecrets?: boolean;
  json?: boolean;
}

export const lint: Command = {
  name: 'lint',
  summary: 'check definitions as the service does, and tell every fault with its line and column',
  examples: [
    ['sluice lint pipelines/*.yaml', 'all files of a glob, as one start would load them'],
    ['sluice lint pipelines --tasks mytasks', 'a folder, with tasks of your own'],
    ['sluice lint pipelines --assume-secrets', 'where no secret is set, as in CI'],
  ],
  define(program, terminal) {
    program
      .argument('<files...>', 'definition files, or folders of them')
      .option('--tasks <folder>', 'folder with your own tasks (TASKS_DIR)')
      .option('--assume-secrets', 'take every secret that a definition names for set')
      .action((files: string[]) => run(files, optionsOf<Flags>(program), terminal));
  },
};

async function run(files: readonly string[], { tasks, assumeSecrets, json }: Flags, terminal: Terminal): Promise<void> {
  const { lintFiles, openWorkshop } = await import('../../trial/index.ts');
  const faults = await orUsage(async () =>
    lintFiles(files, await openWorkshop(terminal.env, { tasksDir: tasks }), { assumeSecrets: assumeSecrets === true }),
  );
  for (const fault of faults) await (json ? terminal.printData(JSON.stringify(fault)) : terminal.print(lineOf(fault, terminal)));
  if (faults.length === 0) return terminal.say('No faults.');
  const where = new Set(faults.map(({ file }) => file)).size;
  throw new CommandEnd(EXIT.failed, `${plural(faults.length, 'fault')} in ${plural(where, 'file')}.`);
}

/** As compilers write it, so that editors find the place. */
export function lineOf({ file, line, column, message }: PlacedFault, { paint }: Terminal): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return `${paint.bold(plain(place))}: ${plain(message)}`;
}
