import type { PlacedFault } from '../../loader/definitions.ts';
import type { TestFile, Workshop } from '../../trial/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { duration, plural } from '../format.ts';
import { plain } from '../paint.ts';
import { orUsage } from '../setup-fault.ts';
import type { Terminal } from '../terminal.ts';
import { lineOf } from './lint.ts';

interface Flags {
  tasks?: string;
  name?: string;
  json?: boolean;
}

interface Told {
  file: string;
  test: string;
  passed: boolean;
  /** By the clock of the test, and by that of the machine. */
  seconds: number;
  tookSeconds: number;
  requests: number;
  faults: PlacedFault[];
}

export const test: Command = {
  name: 'test',
  summary: 'run the tests that stand beside definitions, without a service, a network or waits',
  examples: [
    ['sluice test pipelines', 'all tests of a folder, files such as orders.test.yaml'],
    ['sluice test pipelines/orders.yaml --name busy', 'those beside a file whose name has this word'],
  ],
  define(program, terminal) {
    program
      .argument('[files...]', 'definition files, files of tests, or folders of them; pipelines by default')
      .option('--tasks <folder>', 'folder with your own tasks (TASKS_DIR)')
      .option('--name <part>', 'only tests with this in their names')
      .action((files: string[]) => run(files.length === 0 ? ['pipelines'] : files, optionsOf<Flags>(program), terminal));
  },
};

async function run(paths: readonly string[], flags: Flags, terminal: Terminal): Promise<void> {
  const { findTestFiles, openWorkshop, readTestFile } = await import('../../trial/index.ts');
  const workshop = await orUsage(() => openWorkshop(terminal.env, { tasksDir: flags.tasks }));
  const files = [...new Set((await orUsage(() => Promise.all(paths.map(findTestFiles)))).flat())];
  const told: Told[] = [];
  for (const file of files) {
    const { read, faults } = await orUsage(() => readTestFile(file));
    if (read === null)
      told.push(await tell({ file, test: '', passed: false, seconds: 0, tookSeconds: 0, requests: 0, faults }, flags, terminal));
    else for await (const one of outcomes(read, workshop, flags, terminal)) told.push(await tell(one, flags, terminal));
  }
  const failed = told.filter(({ passed }) => !passed).length;
  if (told.length === 0) throw new CommandEnd(EXIT.usage, `No test has ${JSON.stringify(flags.name)} in its name.`);
  const summary = `${plural(told.length - failed, 'test')} passed${failed > 0 ? `, ${failed} failed` : ''}.`;
  if (failed > 0) throw new CommandEnd(EXIT.failed, summary);
  terminal.say(summary);
}

async function* outcomes(read: TestFile, workshop: Workshop, { name }: Flags, { signal }: Terminal): AsyncGenerator<Told> {
  const { definitionOf, lintLooked, runTest } = await import('../../trial/index.ts');
  const { file, fixture, looked, placeAt } = read;
  for (const [i, test] of fixture.tests.entries()) {
    signal.throwIfAborted();
    if (name !== undefined && !test.name.includes(name)) continue;
    const at = `/tests/${i}`;
    const about = { file, test: test.name };
    const not = (faults: PlacedFault[]): Told => ({ ...about, passed: false, seconds: 0, tookSeconds: 0, requests: 0, faults });
    const wrong = await lintLooked(looked, workshop, { ...fixture.secrets, ...test.secrets });
    if (wrong.length > 0) {
      yield not(wrong);
      continue;
    }
    const definition = definitionOf(test, read);
    if (typeof definition === 'string') {
      yield not([{ ...placeAt(at), message: definition }]);
      continue;
    }
    const began = performance.now();
    const { faults, seconds, requests } = await runTest(workshop, { definition, limiters: looked.loaded.limiters }, test, fixture);
    const placed = faults.map(({ path, message }) => ({ ...placeAt(`${at}${path}`), message: `${path} ${message}` }));
    yield { ...about, passed: faults.length === 0, seconds, tookSeconds: (performance.now() - began) / 1000, requests, faults: placed };
  }
}

async function tell(told: Told, { json }: Flags, terminal: Terminal): Promise<Told> {
  const { test, passed, seconds, requests, faults, file } = told;
  if (json) {
    await terminal.printData(JSON.stringify(told));
    return told;
  }
  const { green, red, dim } = terminal.paint;
  const about = [
    ...(requests > 0 ? [plural(requests, 'request')] : []),
    ...(seconds > 0 ? [`${duration(seconds)} of waits and answers`] : []),
  ];
  const shown = about.length > 0 ? dim(` (${about.join(', ')})`) : '';
  await terminal.print(`${passed ? green('✓') : red('✗')} ${plain(file)}${test === '' ? '' : `: ${plain(test)}`}${shown}`);
  for (const fault of faults) await terminal.print(`  ${lineOf(fault, terminal)}`);
  return told;
}
