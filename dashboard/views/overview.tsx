import { useEffect } from 'preact/hooks';
import { bottleneckShort } from '../parts/bottleneck-words.ts';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { count, doneAt, duration, rate } from '../parts/words.ts';
import { linkTo } from '../state/address.ts';
import { pipelines } from '../state/live-data.ts';
import { loadPipelines } from '../state/pipelines.ts';
import { useTitle } from '../state/title.ts';
import type { PipelineLine } from '../state/types.ts';

/** All pipelines at a glance, from one request and the stream. */
export function Overview() {
  useTitle('Pipelines');
  const all = pipelines.value;
  // The stream knows of new ones, and not what they are made of.
  const isPartly = all === undefined || all.some(({ stages }) => stages === undefined);
  useEffect(() => {
    if (isPartly) void loadPipelines();
  }, [isPartly]);
  return (
    <>
      <div class="head">
        <h1>Pipelines</h1>
        {all !== undefined && all.length > 0 && <p class="muted">{summary(all)}</p>}
      </div>
      {all === undefined ? null : all.length === 0 ? <Nothing /> : <Lines all={all} />}
    </>
  );
}

function summary(all: readonly PipelineLine[]): string {
  const sum = (of: (line: PipelineLine) => number): number => all.reduce((total, line) => total + of(line), 0);
  const inFlight = sum(({ itemsInFlight }) => itemsInFlight);
  return `${count(inFlight)} in flight, ${rate(sum(({ overview }) => overview.ratePerSecond.out))} out`;
}

function Nothing() {
  return (
    <div class="card empty">
      <p>No pipeline yet.</p>
      <p class="muted">
        Put a definition into <code>pipelines/</code>, or send one to <code>POST /pipelines</code>.
      </p>
    </div>
  );
}

function Lines({ all }: { all: readonly PipelineLine[] }) {
  return (
    <ScrollBox label="All pipelines">
      <table class="lines pipelines">
        <thead>
          <tr>
            <th scope="col">Pipeline</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              In
            </th>
            <th scope="col" class="number">
              Out
            </th>
            <th scope="col" class="number">
              In flight
            </th>
            <th scope="col" class="number">
              Failed, 5 min
            </th>
            <th scope="col" class="number">
              Done
            </th>
            <th scope="col">Held up by</th>
          </tr>
        </thead>
        <tbody>
          {all.map((line) => (
            <Line key={line.id} line={line} />
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

function Line({ line: { id, description, state, stages, itemsInFlight, overview } }: { line: PipelineLine }) {
  const { ratePerSecond, failedLastFiveMinutes, etaSeconds, bottleneck, pausedReasons = {} } = overview;
  const [why] = Object.values(pausedReasons);
  return (
    <tr>
      <th scope="row">
        <a href={linkTo(id)}>{id}</a>
        <span class="muted small under">{description ?? stages?.join(' → ')}</span>
      </th>
      <td>
        <StateMark state={state} why={why} />
      </td>
      <td class="number" data-label="In">
        {rate(ratePerSecond.in)}
      </td>
      <td class="number" data-label="Out">
        {rate(ratePerSecond.out)}
      </td>
      <td class="number" data-label="In flight">
        {count(itemsInFlight)}
      </td>
      <td class={`number${failedLastFiveMinutes > 0 ? ' bad' : ''}`} data-label="Failed, 5 min">
        {failedLastFiveMinutes > 0 ? <a href={linkTo(id, 'failures')}>{count(failedLastFiveMinutes)}</a> : '0'}
      </td>
      <td class="number" data-label="Done">
        {itemsInFlight === 0 ? (
          '–'
        ) : etaSeconds === null ? (
          'unknown'
        ) : (
          <span title={`in ${duration(etaSeconds)}`}>{doneAt(etaSeconds)}</span>
        )}
      </td>
      <td class={bottleneck === null ? 'muted' : ''} data-label="Held up by">
        {bottleneck === null ? 'nothing' : bottleneckShort(bottleneck)}
      </td>
    </tr>
  );
}
