import { InvalidArgumentError } from 'commander';
import type { BenchFigures } from '../../trial/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { count, duration, plural, rate, table } from '../format.ts';
import { plain } from '../paint.ts';
import { orUsage } from '../setup-fault.ts';
import type { Terminal } from '../terminal.ts';
import { lineOf } from './lint.ts';

interface Flags {
  tasks?: string;
  name?: string;
  items: number;
  inFlight?: number;
  network?: boolean;
  json?: boolean;
}

export const bench: Command = {
  name: 'bench',
  summary: 'measure a definition with the items of one of its tests, in this process and without a store',
  examples: [
    ['sluice bench pipelines/orders.yaml', 'a thousand items like those of its first test'],
    ['sluice bench orders.test.yaml --name busy --items 200 --in-flight 8', 'another test, fewer items, eight at a time'],
    ['sluice bench orders.yaml --network', 'with real requests, in place of the stand-ins of the test'],
  ],
  define(program, terminal) {
    program
      .argument('<file>', 'a definitions file with tests beside it, or a file of tests')
      .option('--tasks <folder>', 'folder with your own tasks (TASKS_DIR)')
      .option('--name <part>', 'the first test with this in its name, by default the first one')
      .option('--items <number>', 'how many items are measured', toCount, 1000)
      .option('--in-flight <number>', 'how many are under way at a time; by default as many as there are workers', toCount)
      .option('--network', 'send requests, with the secrets of the environment')
      .action((file: string) => run(file, optionsOf<Flags>(program), terminal));
  },
};

function toCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 9999999.');
  return Number(text);
}

async function run(path: string, { tasks, name, items, inFlight, network = false, json }: Flags, terminal: Terminal): Promise<void> {
  const { bench: measure, definitionOf, findTestFiles, lintLooked, openWorkshop, readTestFile } = await import('../../trial/index.ts');
  const workshop = await orUsage(() => openWorkshop(terminal.env, { tasksDir: tasks }));
  const [file] = await orUsage(() => findTestFiles(path));
  const { read, faults } = await orUsage(() => readTestFile(file as string));
  const test = read?.fixture.tests.find((one) => name === undefined || one.name.includes(name));
  if (read !== null && test === undefined) throw new CommandEnd(EXIT.usage, `No test has ${JSON.stringify(name)} in its name.`);
  const secrets = network ? workshop.config.secrets : { ...read?.fixture.secrets, ...test?.secrets };
  const wrong = read === null ? faults : await lintLooked(read.looked, workshop, secrets);
  if (read === null || test === undefined || wrong.length > 0) {
    for (const fault of wrong) terminal.say(lineOf(fault, terminal));
    throw new CommandEnd(EXIT.failed, `${plural(wrong.length, 'fault')}; nothing was measured.`);
  }
  const definition = definitionOf(test, read);
  if (typeof definition === 'string') throw new CommandEnd(EXIT.failed, `The test ${JSON.stringify(test.name)} ${definition}.`);
  const tried = { definition, limiters: read.looked.loaded.limiters };
  const figures = await measure(workshop, tried, test, read.fixture, { items, inFlight, network, signal: terminal.signal });
  if (json) return terminal.printData(JSON.stringify({ file, test: test.name, network, ...figures }));
  for (const line of linesOf(figures, test.name, terminal)) await terminal.print(line);
  terminal.say(
    `In this process, without a store or HTTP; requests ${network ? 'went to the network' : 'were answered by the stand-ins of the test, after the time that those say'}.`,
  );
}

function linesOf(
  { pipeline, items, failed, inFlight, seconds, itemsPerSecond, itemSeconds, stages }: BenchFigures,
  test: string,
  { paint }: Terminal,
): string[] {
  const { p50, p90, p99, max } = itemSeconds;
  const rows = stages.map(({ stage, workers, busy, meanSeconds, runSeconds, waitSeconds, retried, failed: lost }) => [
    plain(stage),
    count(workers),
    `${Math.round(busy * 100)} %`,
    brief(meanSeconds),
    brief(runSeconds.p50),
    brief(runSeconds.p90),
    brief(waitSeconds.p90),
    count(retried),
    count(lost),
  ]);
  const head = ['STAGE', 'WORKERS', 'BUSY', 'MEAN', 'RUN P50', 'RUN P90', 'WAIT P90', 'RETRIED', 'FAILED'].map(paint.dim);
  return [
    `${paint.bold(plain(pipeline))}: ${plural(items, 'item')} of ${JSON.stringify(plain(test))}, ${count(inFlight)} at a time`,
    `${rate(itemsPerSecond)} (${duration(seconds)}), ${failed > 0 ? paint.red(`${count(failed)} failed`) : 'none failed'}`,
    `an item takes ${brief(p50)} (p50), ${brief(p90)} (p90), ${brief(p99)} (p99), at most ${brief(max)}`,
    ...table([head, ...rows], new Set([1, 2, 3, 4, 5, 6, 7, 8])),
  ];
}

/** A duration with three digits, also of what takes a moment. */
function brief(seconds: number | null): string {
  return seconds !== null && seconds < 0.1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : duration(seconds);
}
