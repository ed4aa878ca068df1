import { InvalidArgumentError } from 'commander';
import type { Feed, FeedCounts, FeedOptions, FeedOutcome, Sluice } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { bytes, count, duration, plural, rate } from '../format.ts';
import { countsIn, type FeedFlags, goingOn } from '../going-on.ts';
import { type Input, openInput } from '../input.ts';
import { plain } from '../paint.ts';
import { createProgress, type Progress } from '../progress.ts';
import { connect, type GlobalOptions, type Terminal } from '../terminal.ts';

interface Flags extends GlobalOptions, FeedFlags {
  feed?: string;
}

export const feed: Command = {
  name: 'feed',
  summary: 'feed a pipeline from an NDJSON file or stdin',
  examples: [
    ['sluice feed orders orders.ndjson', 'upload a file, one item a line'],
    ['sluice feed orders orders.ndjson --follow', 'and wait for its items; exit code 3 if any failed'],
    ['jq -c .[] orders.json | sluice feed orders', 'upload what another program writes'],
    ['sluice feed orders orders.ndjson --feed f7 --resume', 'go on with an upload that broke off'],
  ],
  define(program, terminal) {
    program
      .argument('<pipeline>')
      .argument('[file]', 'a file, or - for stdin', '-')
      .option('--follow', 'wait until every item has ended')
      .option('--feed <id>', 'id of the feed; by default a new one')
      .option('--resume', 'the same items were sent before: pass over those that the feed has')
      .option('--append', 'add to a feed that exists')
      .option(
        '--resume-after <count>',
        'as --resume, for an --append: the feed had so many items before, which are not of this file',
        toCounts,
      )
      .option('--stage <name>', 'the stage to start from')
      .option('--priority <number>', 'lower runs sooner, by default 100', toInteger)
      .option('--on-duplicate <what>', 'skip (default), reject or rerun items whose id is known')
      .option('--id-field <name>', 'the member that is the id, in place of id')
      .option('--big-numbers <what>', 'refuse (default) integers that a number cannot hold, or take what is left of them: lossy')
      .action((pipeline: string, file: string) => run(pipeline, file, optionsOf<Flags>(program), terminal));
  },
};

/** A whole number as the value of an option. */
export function toInteger(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function toCounts(text: string): FeedCounts {
  const counts = countsIn(text);
  if (counts === undefined) throw new InvalidArgumentError('It must be a whole number, or two such as 12+3: items and duplicates.');
  return counts;
}

function checkMode({ feed, resume, resumeAfter, append }: Flags): void {
  const isResumed = resume || resumeAfter !== undefined;
  if ((isResumed || append) && feed === undefined) throw new CommandEnd(EXIT.usage, '--resume and --append need --feed.');
  if (isResumed && append)
    throw new CommandEnd(EXIT.usage, 'An --append that broke off goes on with --resume-after alone, as it said when it was interrupted.');
}

async function run(pipeline: string, file: string, flags: Flags, terminal: Terminal): Promise<void> {
  checkMode(flags);
  const sluice = connect(terminal, flags);
  const input = openInput(file, process.stdin);
  const progress = createProgress(terminal);
  // Known ahead of the first answer, so that an upload which is interrupted can be named.
  const feedId = flags.feed ?? `feed-${Date.now().toString(36)}-${process.pid}`;
  let before: FeedCounts | undefined;
  const onBegun = (counts: FeedCounts): void => {
    before = counts;
  };
  try {
    const outcome = await upload({ sluice, pipeline, feedId, input, flags, progress, signal: terminal.signal, onBegun });
    if (!flags.follow) {
      progress.clear();
      return await tell(outcome, flags, terminal);
    }
    const done = await followFeed(sluice, pipeline, feedId, progress, terminal.signal);
    progress.clear();
    await tellDone(done, flags, terminal);
  } catch (error) {
    progress.clear();
    if (terminal.signal.aborted) {
      const line = goingOn({ pipeline, file, feedId, flags, before });
      terminal.say(`Interrupted. The feed is ${plain(feedId)}; to go on with it: ${line}`);
    }
    throw error;
  }
}

interface Upload {
  sluice: Sluice;
  pipeline: string;
  feedId: string;
  input: Input;
  flags: FeedFlags;
  progress: Progress;
  signal: AbortSignal;
  /** Told what the feed had before, ahead of the first item. */
  onBegun: (before: FeedCounts) => void;
}

function upload({ sluice, pipeline, feedId, input, flags, progress, signal, onBegun }: Upload): Promise<FeedOutcome> {
  const { stage, priority, onDuplicate, idField, bigNumbers, resume, resumeAfter, append } = flags;
  const startedAt = performance.now();
  const options: FeedOptions = {
    feedId,
    mode: resume || resumeAfter !== undefined ? 'resume' : append ? 'append' : 'new',
    ...(resumeAfter !== undefined && { resumeAfter }),
    ...(stage !== undefined && { targetStage: stage }),
    ...(priority !== undefined && { priority }),
    ...(onDuplicate !== undefined && { onDuplicate }),
    ...(idField !== undefined && { idField }),
    ...(bigNumbers !== undefined && { bigNumbers }),
    signal,
    onProgress({ sent, interruption, before }) {
      onBegun(before);
      if (interruption !== null) return progress.say(`${plain(interruption.message)}; going on …`);
      const seconds = (performance.now() - startedAt) / 1000;
      const read = input.read();
      const fraction = input.size === null || input.size === 0 ? null : Math.min(1, read / input.size);
      const eta = fraction === null || fraction === 0 ? '' : `, ${duration((seconds / fraction) * (1 - fraction))} left`;
      progress.show(fraction, `${plural(sent, 'item')} sent, ${bytes(read)}, ${rate(sent / Math.max(seconds, 0.001))}${eta}`);
    },
  };
  return sluice.feed(pipeline, input.source, options);
}

/** Shows the feed until it is done. */
export async function followFeed(sluice: Sluice, pipeline: string, feedId: string, progress: Progress, signal: AbortSignal): Promise<Feed> {
  for (;;) {
    // Answers as soon as it is done.
    const view = await sluice.wait(pipeline, feedId, { timeoutSeconds: 0.5, signal });
    if (view.done) return view;
    const { total, completed, failed, cancelled, throughputPerSecond, etaSeconds } = view;
    const ended = completed + failed + cancelled;
    const failures = failed > 0 ? `, ${count(failed)} failed` : '';
    const eta = etaSeconds === null ? '' : `, ${duration(etaSeconds)} left`;
    progress.show(
      total === 0 ? null : ended / total,
      `${count(ended)} of ${plural(total, 'item')}${failures}, ${rate(throughputPerSecond)}${eta}`,
    );
  }
}

async function tell({ feedId, accepted, duplicates }: FeedOutcome, { json }: GlobalOptions, terminal: Terminal): Promise<void> {
  if (json) return terminal.printData(JSON.stringify({ feedId, accepted, duplicates }));
  await terminal.print(plain(feedId));
  terminal.say(`${plural(accepted, 'item')} accepted${duplicates > 0 ? `, ${count(duplicates)} known already` : ''}.`);
}

/** Prints the feed, and ends with 3 when not all of it has completed. */
export async function tellDone(view: Feed, { json }: GlobalOptions, terminal: Terminal): Promise<void> {
  const { feedId, completed, failed, cancelled, duplicates } = view;
  await (json ? terminal.printData(JSON.stringify(view)) : terminal.print(plain(feedId)));
  const { green, red, yellow } = terminal.messagePaint;
  const parts = [
    green(`${count(completed)} completed`),
    ...(failed > 0 ? [red(`${count(failed)} failed`)] : []),
    ...(cancelled > 0 ? [yellow(`${count(cancelled)} cancelled`)] : []),
    ...(duplicates > 0 ? [`${count(duplicates)} known already`] : []),
  ];
  terminal.say(`${parts.join(', ')}.`);
  if (failed + cancelled > 0) terminal.exitWith(EXIT.itemsFailed);
}
