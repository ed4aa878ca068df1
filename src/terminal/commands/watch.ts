import { dataOf, type FollowOptions, type PipelineEvent, type Sluice } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { DISPLAYS, plainLine } from '../displays/index.ts';
import { after, initialState, type WatchState } from '../displays/state.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { createFrame } from '../frame.ts';
import { plain } from '../paint.ts';
import { connect, type GlobalOptions, type Terminal } from '../terminal.ts';

interface WatchFlags extends GlobalOptions {
  display: string;
  seconds: number;
  untilDone?: boolean;
}

export const watch: Command = {
  name: 'watch',
  summary: 'show a pipeline while it works',
  examples: [
    ['sluice watch orders', 'a line for each stage, live'],
    ['sluice watch orders -d full', 'the whole screen: stages, workers, what happened last'],
    ['sluice watch orders -d progress --until-done', 'a bar, until nothing is in flight'],
    ['sluice watch orders --json', 'every event, one a line'],
  ],
  define(program, terminal) {
    program
      .argument('<pipeline>')
      .option('-d, --display <name>', `one of ${Object.keys(DISPLAYS).join(', ')}`, 'compact')
      .option('--seconds <number>', 'time between two pictures', toSeconds, 1)
      .option('--until-done', 'end when no item is in flight')
      .action((pipeline: string) => run(pipeline, optionsOf<WatchFlags>(program), terminal));
  },
};

function toSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new CommandEnd(EXIT.usage, '--seconds is a number from 0.1 to 3600');
  return seconds;
}

async function run(pipeline: string, flags: WatchFlags, terminal: Terminal): Promise<void> {
  const display = DISPLAYS[flags.display];
  if (display === undefined) throw new CommandEnd(EXIT.usage, `${flags.display} is not a display: use ${Object.keys(DISPLAYS).join(', ')}`);
  const sluice = connect(terminal, flags);
  // A service that is not there is an error; one that goes away later is waited for.
  const { state } = await dataOf(sluice.api.GET('/pipelines/{id}', { params: { path: { id: pipeline } }, signal: terminal.signal }));
  const begun: WatchState = { ...initialState(pipeline), state };
  if (flags.json) await printEvents(sluice, pipeline, flags, terminal);
  else if (terminal.stdout.isTerminal) await showFrames(sluice, begun, flags, terminal);
  else await printLines(sluice, begun, flags, terminal);
}

const isDone = (event: PipelineEvent): boolean => event.event === 'snapshot' && event.data.pipelineStats.itemsInFlight === 0;

async function printEvents(sluice: Sluice, pipeline: string, { seconds, untilDone }: WatchFlags, terminal: Terminal): Promise<void> {
  for await (const event of sluice.follow(pipeline, { snapshotSeconds: seconds, signal: terminal.signal })) {
    await terminal.printData(JSON.stringify(event));
    if (untilDone && isDone(event)) return;
  }
}

/** A line a picture, and one for each change of the pipeline. */
async function printLines(sluice: Sluice, begun: WatchState, { seconds, untilDone }: WatchFlags, terminal: Terminal): Promise<void> {
  let state = begun;
  const options: FollowOptions = {
    types: ['pipeline', 'feed'],
    snapshotSeconds: seconds,
    signal: terminal.signal,
    onState: troubleTeller(terminal),
  };
  for await (const event of sluice.follow(state.pipeline, options)) {
    const before = state.recent.length;
    state = after(state, event);
    if (event.event === 'snapshot') await terminal.print(plainLine(state, terminal.paint));
    else if (state.recent.length > before) await terminal.print(plain(state.recent.at(-1) as string));
    if (untilDone && isDone(event)) return;
  }
}

function troubleTeller({ say }: Terminal): NonNullable<FollowOptions['onState']> {
  return (connection) => {
    if (connection.state === 'waiting') say(`reconnecting: ${plain(connection.error?.message ?? 'the stream has ended')}`);
  };
}

/** Pictures on the terminal, at the most one for each event of the loop, and not more than thirty a second. */
async function showFrames(
  sluice: Sluice,
  begun: WatchState,
  { display: name, seconds, untilDone }: WatchFlags,
  terminal: Terminal,
): Promise<void> {
  const display = DISPLAYS[name] as (typeof DISPLAYS)[string];
  const { stdout, paint, signal } = terminal;
  const isWhole = name === 'full';
  const frame = createFrame(stdout, { isWhole });
  let state = begun;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    clearTimeout(timer);
    timer = undefined;
    frame.draw(display(state, paint, stdout));
  };
  const drawSoon = (): void => {
    timer ??= setTimeout(draw, 33);
  };
  const stopWatching = stdout.onResize(draw);
  const options: FollowOptions = {
    // Events of items are shown by one display alone, and may be many.
    types: isWhole ? ['status', 'pipeline', 'feed'] : ['pipeline', 'feed'],
    snapshotSeconds: seconds,
    signal,
    onState(connection) {
      const trouble =
        connection.state === 'waiting' ? `reconnecting: ${connection.error?.message ?? 'the stream has ended'}` : state.trouble;
      state = { ...state, trouble: connection.state === 'open' ? null : trouble };
      drawSoon();
    },
  };
  draw();
  try {
    for await (const event of sluice.follow(state.pipeline, options)) {
      state = after(state, event);
      drawSoon();
      if (untilDone && isDone(event)) break;
    }
    if (!signal.aborted) draw();
  } finally {
    clearTimeout(timer);
    stopWatching();
    frame.end();
  }
}
