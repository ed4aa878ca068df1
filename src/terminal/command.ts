import type { Command as Program } from 'commander';
import type { GlobalOptions, Terminal } from './terminal.ts';

/**
 * One command, in a file of its own below commands/. `define` names its arguments and options and sets its action; whatever the action needs beyond the client it should
 * import when it runs, since all commands are defined at each start.
 */
export interface Command {
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** Command lines with what they do; the help begins with them. */
  examples: readonly (readonly [line: string, meaning: string])[];
  define(program: Program, terminal: Terminal): void;
}

/** Options of a command with those that every command takes. */
export const optionsOf = <T extends object>(program: Program): T & GlobalOptions => program.optsWithGlobals() as T & GlobalOptions;
