import { bar, count, duration, rate, table } from '../format.ts';
import { type Paint, plain } from '../paint.ts';
import type { WatchState } from './state.ts';

interface Room {
  columns: number;
  rows: number;
}

/** Lines for a state. Each is cut to the width of the screen later. */
export type Display = (state: WatchState, paint: Paint, room: Room) => string[];

type Snapshot = NonNullable<WatchState['snapshot']>;
type StageStats = Snapshot['pipelineStats']['stageStats'][string];

const stagesOf = ({ pipelineStats }: Snapshot): StageStats[] => Object.values(pipelineStats.stageStats);

/** Trouble takes the place of the counts: a line may be cut off, and they are old then. */
function head({ pipeline, state, snapshot, trouble }: WatchState, paint: Paint): string {
  const shown = state === null ? '' : state === 'running' ? paint.green(state) : paint.yellow(state);
  const rest = trouble !== null ? paint.red(plain(trouble)) : snapshot === null ? 'connecting …' : counts(snapshot, paint);
  return [paint.bold(plain(pipeline)), shown, rest].filter((part) => part !== '').join('  ');
}

function counts({ pipelineStats }: Snapshot, paint: Paint): string {
  const { itemsProcessed, itemsFailed, itemsInFlight, throughputPerSecond, etaSeconds } = pipelineStats;
  const failed = `${count(itemsFailed)} failed`;
  return [
    `${count(itemsProcessed)} processed`,
    itemsFailed > 0 ? paint.red(failed) : failed,
    `${count(itemsInFlight)} in flight`,
    rate(throughputPerSecond),
    ...(itemsInFlight > 0 ? [`${duration(etaSeconds)} left`] : []),
  ].join('  ');
}

/** How much of what was fed has ended. */
function fractionOf({ pipelineStats: { itemsFed, itemsInFlight } }: Snapshot): number {
  return itemsFed === 0 ? 1 : (itemsFed - itemsInFlight) / itemsFed;
}

const BAR_COLUMNS = 30;

/** One line with a bar. */
const progress: Display = (state, paint) => {
  const { snapshot } = state;
  if (snapshot === null) return [head(state, paint)];
  const fraction = fractionOf(snapshot);
  return [`${paint.cyan(bar(fraction, BAR_COLUMNS))} ${String(Math.floor(fraction * 100)).padStart(3)} %  ${head(state, paint)}`];
};

/** A line for each stage. */
const compact: Display = (state, paint) => {
  const { snapshot } = state;
  if (snapshot === null) return [head(state, paint)];
  const rows = stagesOf(snapshot).map(({ stageName, pendingItems, inProgressItems, completedItems, failedItems, ratePerSecond }) => [
    `  ${plain(stageName)}`,
    `${count(pendingItems)} waiting`,
    `${count(inProgressItems)} running`,
    `${count(completedItems)} done`,
    failedItems > 0 ? paint.red(`${count(failedItems)} failed`) : '0 failed',
    rate(ratePerSecond.out),
  ]);
  return [head(state, paint), ...table(rows, new Set([1, 2, 3, 4, 5])), ...bottleneck(snapshot, paint)];
};

function bottleneck({ pipelineStats }: Snapshot, paint: Paint): string[] {
  const { bottleneck: found } = pipelineStats;
  if (found === null) return [];
  const { stage, reason, task, limiter, workersWaiting, workers } = found;
  const by = [task, limiter].filter((name) => name !== null).map((name) => plain(String(name)));
  return [
    paint.yellow(
      `  held up by ${plain(stage)}: ${reason}${by.length > 0 ? ` (${by.join(', ')})` : ''}, ${workersWaiting} of ${workers} workers wait`,
    ),
  ];
}

/** A table of the stages with their times, the errors by type, and the bar. */
const detailed: Display = (state, paint) => {
  const { snapshot } = state;
  if (snapshot === null) return [head(state, paint)];
  const titles = ['STAGE', 'WAITING', 'RUNNING', 'DONE', 'FAILED', 'RETRIED', 'IN', 'OUT', 'WAIT p90', 'RUN p90', 'OLDEST', 'WORKERS'].map(
    paint.dim,
  );
  const rows = stagesOf(snapshot).map((stage) => {
    const { running, limited, blocked, idle } = stage.workers;
    return [
      plain(stage.stageName),
      count(stage.pendingItems),
      count(stage.inProgressItems),
      count(stage.completedItems),
      stage.failedItems > 0 ? paint.red(count(stage.failedItems)) : '0',
      count(stage.retriedItems),
      rate(stage.ratePerSecond.in),
      rate(stage.ratePerSecond.out),
      duration(stage.waitSeconds.p90),
      duration(stage.runSeconds.p90),
      duration(stage.oldestItemAgeSeconds),
      `${running} run, ${limited + blocked} wait, ${idle} idle`,
    ];
  });
  return [
    ...progress(state, paint, { columns: 0, rows: 0 }),
    '',
    ...table([titles, ...rows], RIGHT),
    ...bottleneck(snapshot, paint),
    ...errors(snapshot, paint),
  ];
};

const RIGHT = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

function errors({ errorSummary: { totalFailed, errorsByType } }: Snapshot, paint: Paint): string[] {
  if (totalFailed === 0) return [];
  const types = Object.entries(errorsByType).toSorted(([, a], [, b]) => b - a);
  return ['', ...types.slice(0, 5).map(([type, failed]) => `  ${paint.red(count(failed))} ${plain(type)}`)];
}

/** All of it: the table, every worker, and what happened last, on the whole screen. */
const full: Display = (state, paint, { rows }) => {
  const { snapshot, recent } = state;
  const top = detailed(state, paint, { columns: 0, rows });
  if (snapshot === null) return top;
  const workers = Object.values(snapshot.workerStates).map(
    ({ workerName, status, currentItemId, currentTask, waitingFor, processingSince }) => [
      `  ${plain(workerName)}`,
      status === 'busy' ? paint.green(status) : paint.dim(status),
      plain(currentItemId ?? ''),
      plain(waitingFor === null ? (currentTask ?? '') : `waits: ${waitingFor.reason}`),
      processingSince === null ? '' : duration((Date.parse(snapshot.timestamp) - Date.parse(processingSince)) / 1000),
    ],
  );
  const busyFirst = table(workers.toSorted((a, b) => Number(a[2] === '') - Number(b[2] === '')));
  const room = Math.max(4, rows - top.length - 5);
  const shownWorkers = busyFirst.slice(0, Math.ceil(room / 2));
  const hidden = busyFirst.length - shownWorkers.length;
  const events = recent.slice(-Math.max(1, room - shownWorkers.length)).map((line) => paint.dim(`  ${plain(line)}`));
  return [...top, '', ...shownWorkers, ...(hidden > 0 ? [`  and ${count(hidden)} more workers`] : []), '', ...events];
};

/** By the names that AntFlow has for them. */
export const DISPLAYS: Readonly<Record<string, Display>> = { progress, compact, detailed, full };

/** One line without control characters, for logs and pipes. */
export function plainLine(state: WatchState, paint: Paint): string {
  const time = state.snapshot?.timestamp.slice(0, 19) ?? '';
  return `${time}  ${head(state, paint)}`.trimStart();
}
