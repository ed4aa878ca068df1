import { BottleneckWords } from '../parts/bottleneck-line.tsx';
import { count, duration, rate } from '../parts/words.ts';
import { WorkerCells } from '../parts/worker-cells.tsx';
import { linkTo } from '../state/address.ts';
import { type Details, detailsOf } from '../state/live-data.ts';
import { trendOf } from '../state/trend.ts';
import type { PipelineDetail, StatsEvent } from '../state/types.ts';
import { FlowCharts } from './flow-charts.tsx';

/** A pipeline as a picture: its stages from left to right with their queues and workers, what holds it up, and how it came to this. */
export function Flow({ pipeline }: { pipeline: PipelineDetail }) {
  const { id } = pipeline;
  const details = detailsOf(id);
  const stats = details.stats.value;
  return (
    <>
      <BottleneckWords id={id} stats={stats} pipeline={pipeline} />
      <Stages pipeline={pipeline} stats={stats} details={details} />
      <FlowCharts id={id} stages={pipeline.definition.stages.map(({ name }) => name)} />
    </>
  );
}

interface StagesProps {
  pipeline: PipelineDetail;
  stats: StatsEvent | undefined;
  details: Details;
}

function Stages({ pipeline, stats, details }: StagesProps) {
  const { stages, backlogCapacity } = pipeline.definition;
  const pending = stages.map(({ name }) => stats?.stages[name]?.pendingItems ?? 0);
  // Levels are compared with each other: against a capacity of 100 000 none would be seen.
  const highest = Math.max(20, ...pending);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard (axe: scrollable-region-focusable)
    <section class="stages-scroll" aria-label="Stages" tabIndex={0}>
      <ol class="stages">
        {stages.map(({ name, queueCapacity }, i) => (
          <Stage
            key={name}
            id={pipeline.id}
            name={name}
            stats={stats?.stages[name]}
            level={(pending[i] as number) / highest}
            capacity={i === 0 ? backlogCapacity : queueCapacity}
            trend={trendOf(details.queues.get(name) ?? [])}
            isHeldUp={stats?.bottleneck?.stage === name}
            isPaused={pipeline.pausedStages.includes(name)}
            why={pipeline.pausedReasons[name]}
            details={details}
          />
        ))}
        <li class="outcome">
          <h2>Done</h2>
          <p class="figure">{count(stats?.itemsProcessed ?? pipeline.itemsProcessed)}</p>
          <p class="muted small">{rate(stats?.throughputPerSecond ?? 0)}</p>
          <p class={`small ${pipeline.itemsFailed > 0 ? 'bad' : 'muted'}`}>
            {(stats?.itemsFailed ?? pipeline.itemsFailed) > 0 ? (
              <a href={linkTo(pipeline.id, 'failures')}>{count(stats?.itemsFailed ?? pipeline.itemsFailed)} failed</a>
            ) : (
              'none failed'
            )}
          </p>
        </li>
      </ol>
    </section>
  );
}

interface StageProps {
  id: string;
  name: string;
  stats: StatsEvent['stages'][string] | undefined;
  level: number;
  capacity: number | undefined;
  trend: number | null;
  isHeldUp: boolean;
  isPaused: boolean;
  why: string | undefined;
  details: Details;
}

function Stage({ id, name, stats, level, capacity, trend, isHeldUp, isPaused, why, details }: StageProps) {
  const pending = stats?.pendingItems ?? 0;
  return (
    <li class="stage" data-held={isHeldUp ? '' : undefined}>
      <div class="stage-head">
        <h2>
          <a href={linkTo(id, 'items', '', { stage: name })}>{name}</a>
        </h2>
        {isPaused ? (
          <span class="tag" title={why}>
            paused
          </span>
        ) : (
          isHeldUp && <span class="tag">bottleneck</span>
        )}
      </div>
      <div class="stage-body">
        <div class="queue">
          <div class="tank" title={capacity === undefined ? undefined : `room for ${count(capacity)}`}>
            <Level level={level} />
          </div>
          <p>
            <b>{count(pending)}</b> <span class="muted small">waiting</span>
            <Trend trend={trend} pending={pending} />
          </p>
        </div>
        <WorkerCells stage={name} workers={details.workers} counts={stats?.workers} />
      </div>
      <dl class="measures">
        <div>
          <dt>In</dt>
          <dd>{rate(stats?.ratePerSecond.in ?? 0)}</dd>
        </div>
        <div>
          <dt>Out</dt>
          <dd>{rate(stats?.ratePerSecond.out ?? 0)}</dd>
        </div>
        <div>
          <dt>Waits</dt>
          <dd>{duration(stats?.waitSeconds.p50 ?? null)}</dd>
        </div>
        <div>
          <dt>Runs</dt>
          <dd>{duration(stats?.runSeconds.p50 ?? null)}</dd>
        </div>
      </dl>
    </li>
  );
}

/** The height is set by script: the policy of the page lets in no style attribute. */
function Level({ level }: { level: number }) {
  const height = level === 0 ? '0' : `${Math.max(3, level * 100)}%`;
  return (
    <span
      ref={(element) => {
        if (element !== null) element.style.height = height;
      }}
    />
  );
}

function Trend({ trend, pending }: { trend: number | null; pending: number }) {
  // A change of less than a fiftieth in ten seconds is none to speak of.
  if (trend === null || Math.abs(trend) < Math.max(0.2, pending / 500)) return <span class="trend muted small">steady</span>;
  return (
    <span class="trend small" data-way={trend > 0 ? 'up' : 'down'}>
      {trend > 0 ? '▲ grows' : '▼ shrinks'} {rate(Math.abs(trend))}
    </span>
  );
}
