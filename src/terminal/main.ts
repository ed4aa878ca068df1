/**
 * The command line, `sluice`. See docs/terminal.md.
 *
 * Holds: Data goes to stdout and everything else to stderr; the exit code says how it ended. Text of others is shown without control characters.
 * Refuses: to ask questions, and to take a key from the command line.
 */
import { CommanderError, Command as Program } from 'commander';
import { VERSION } from '../version.ts';
import type { Command } from './command.ts';
import { COMMANDS, HIDDEN } from './commands/index.ts';
import { describe, EXIT } from './exit-codes.ts';
import { plain } from './paint.ts';
import { createTerminal, type Terminal } from './terminal.ts';

function createProgram(terminal: Terminal): Program {
  const program = new Program('sluice')
    .description('Feeds pipelines of a Sluice service, and watches them.')
    .version(VERSION)
    .option('--url <url>', 'address of the service (SLUICE_URL, http://127.0.0.1:3000)')
    .option('--key-file <file>', 'file with an API key (SLUICE_KEY_FILE; or the key itself in SLUICE_KEY)')
    .option('--json', 'print data as JSON')
    .option('--no-color', 'no colours (NO_COLOR)')
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  for (const command of COMMANDS) add(program, command, terminal);
  for (const command of HIDDEN) add(program, command, terminal, { hidden: true });
  return program;
}

function add(program: Program, { name, summary, examples, define }: Command, terminal: Terminal, options = {}): void {
  const added = program.command(name, options).summary(summary).description(summary).exitOverride();
  if (examples.length > 0) {
    const width = Math.max(...examples.map(([line]) => line.length));
    added.addHelpText('before', `Examples:\n${examples.map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}`).join('\n')}\n`);
  }
  define(added, terminal);
}

const terminal = createTerminal(process, { color: !process.argv.includes('--no-color') });
try {
  await createProgram(terminal).parseAsync();
  // What is watched ends without a failure.
  if (terminal.signal.aborted) process.exitCode = describe(terminal.signal.reason).code;
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    const { code, lines } = describe(terminal.signal.aborted ? terminal.signal.reason : error);
    lines.forEach((line, i) => {
      terminal.say(`${i === 0 ? terminal.messagePaint.red('error: ') : ''}${line.startsWith('  ') ? '  ' : ''}${plain(line).trim()}`);
    });
    process.exitCode = code;
  }
} finally {
  // An input that goes on would keep the process.
  process.stdin.destroy();
}
