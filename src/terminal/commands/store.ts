import type { Command } from '../command.ts';

/** Works on a file or a database, without a service: the environment says where, as it does for the service. */
export const store: Command = {
  name: 'store',
  summary: 'back up, check, migrate, compact the store of STORE_URL',
  examples: [
    ['sluice store backup FILE', 'write a copy, while the service works'],
    ['sluice store check [FILE|URL]', 'read a store through'],
    ['sluice store migrate FROM TO', 'move everything from a file: URL to a postgres: URL, or back'],
    ['sluice store remove PIPELINE', 'delete a pipeline with its items'],
    ['sluice store compact', 'give the disk what the file no longer needs'],
  ],
  define(program, terminal) {
    program
      .argument('[command]', 'backup, check, migrate, remove or compact')
      .argument('[arguments...]')
      .action(async (command: string | undefined, rest: string[]) => {
        const { storeCommand } = await import('../../store-command.ts');
        terminal.exitWith(await storeCommand(command === undefined ? [] : [command, ...rest], 'sluice store'));
      });
  },
};
