import { InvalidArgumentError } from 'commander';
import type { Feed, FeedOptions, FeedOutcome, Sluice } from '../../client/index.ts';
import { type Command, optionsOf } from '../command.ts';
import { CommandEnd, EXIT } from '../exit-codes.ts';
import { bytes, count, duration, plural, rate } from '../format.ts';
import { type Input, openInput } from '../input.ts';
import { plain } from '../paint.ts';
import { createProgress, type Progress } from '../progress.ts';
import { connect, type GlobalOptions, type Terminal } from '../terminal.ts';

interface FeedFlags extends GlobalOptions {
  feed?: string;
  resume?: boolean;
  append?: boolean;
  stage?: string;
  priority?: number;
  onDuplicate?: 'skip' | 'reject' | 'rerun';
  idField?: string;
  bigNumbers?: 'refuse' | 'lossy';
  follow?: boolean;
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
      .option('--stage <name>', 'the stage to start from')
      .option('--priority <number>', 'lower runs sooner, by default 100', toInteger)
      .option('--on-duplicate <what>', 'skip (default), reject or rerun items whose id is known')
      .option('--id-field <name>', 'the member that is the id, in place of id')
      .option('--big-numbers <what>', 'refuse (default) integers that a number cannot hold, or take what is left of them: lossy')
      .action((pipeline: string, file: string) => run(pipeline, file, optionsOf<FeedFlags>(program), terminal));
  },
};

/** A whole number as the value of an option. */
export function toInteger(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

async function run(pipeline: string, file: string, flags: FeedFlags, terminal: Terminal): Promise<void> {
  if ((flags.resume || flags.append) && flags.feed === undefined) throw new CommandEnd(EXIT.usage, '--resume and --append need --feed.');
  const sluice = connect(terminal, flags);
  const input = openInput(file, process.stdin);
  const progress = createProgress(terminal);
  // Known ahead of the first answer, so that an upload which is interrupted can be named.
  const feedId = flags.feed ?? `feed-${Date.now().toString(36)}-${process.pid}`;
  try {
    const outcome = await upload({ sluice, pipeline, feedId, input, flags, progress, signal: terminal.signal });
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
      terminal.say(
        `Interrupted. The feed is ${plain(feedId)}; to go on with it: sluice feed ${plain(pipeline)} ${file === '-' ? '<file>' : plain(file)} --feed ${plain(feedId)} --resume`,
      );
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
}

function upload({ sluice, pipeline, feedId, input, flags, progress, signal }: Upload): Promise<FeedOutcome> {
  const { stage, priority, onDuplicate, idField, bigNumbers, resume, append } = flags;
  const startedAt = performance.now();
  const options: FeedOptions = {
    feedId,
    mode: resume ? 'resume' : append ? 'append' : 'new',
    ...(stage !== undefined && { targetStage: stage }),
    ...(priority !== undefined && { priority }),
    ...(onDuplicate !== undefined && { onDuplicate }),
    ...(idField !== undefined && { idField }),
    ...(bigNumbers !== undefined && { bigNumbers }),
    signal,
    onProgress({ sent, interruption }) {
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

async function tell({ feedId, accepted, duplicates }: FeedOutcome, { json }: FeedFlags, terminal: Terminal): Promise<void> {
  if (json) return terminal.print(JSON.stringify({ feedId, accepted, duplicates }));
  await terminal.print(feedId);
  terminal.say(`${plural(accepted, 'item')} accepted${duplicates > 0 ? `, ${count(duplicates)} known already` : ''}.`);
}

/** Prints the feed, and ends with 3 when not all of it has completed. */
export async function tellDone(view: Feed, { json }: GlobalOptions, terminal: Terminal): Promise<void> {
  const { feedId, completed, failed, cancelled, duplicates } = view;
  await terminal.print(json ? JSON.stringify(view) : feedId);
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
