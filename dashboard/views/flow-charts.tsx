import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { Chart, type Line } from '../parts/chart.tsx';
import { Choice } from '../parts/choice.tsx';
import { Fault } from '../parts/fault.tsx';
import { count, rate } from '../parts/words.ts';
import { path } from '../state/api.ts';
import { flowOf, STAGE_COLOURS, throughputOf } from '../state/history.ts';
import type { PipelineHistory } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';

const RANGES = [
  { name: '15 min', seconds: 900, points: 180, everySeconds: 5 },
  { name: '1 h', seconds: 3600, points: 360, everySeconds: 10 },
  { name: '24 h', seconds: 86_400, points: 288, everySeconds: 300 },
  { name: '7 d', seconds: 604_800, points: 336, everySeconds: 300 },
] as const;

const THROUGHPUT: readonly Line[] = [
  { name: 'in', colour: 'muted' },
  { name: 'out', colour: 'running' },
  { name: 'failed', colour: 'bad' },
];

const OUT_AND_FAILED = [1, 2];

/** Throughput over time and the cumulative flow, from what the service has measured: a reload starts full. */
export function FlowCharts({ id, stages }: { id: string; stages: readonly string[] }) {
  const chosen = useSignal(0);
  const range = RANGES[chosen.value] as (typeof RANGES)[number];
  const { seconds, points, everySeconds } = range;
  const { data, error } = useRequest<PipelineHistory>(`${path`/pipelines/${id}/history`}?seconds=${seconds}&points=${points}`, {
    everySeconds,
  });
  const throughput = useMemo(() => (data === undefined ? [[], [], [], []] : throughputOf(data, stages)), [data, stages]);
  const flow = useMemo(() => (data === undefined ? [[], ...stages.map(() => []), []] : flowOf(data, stages)), [data, stages]);
  const bands: Line[] = [
    ...stages.map((name, i) => ({ name, colour: STAGE_COLOURS[i % STAGE_COLOURS.length] as string, isFilled: true })),
    { name: 'done', colour: 'done', isFilled: true },
  ];
  return (
    <>
      <div class="head charts-head">
        <h2>How it went</h2>
        <div class="actions">
          <Choice label="Period" options={RANGES.map(({ name }) => name)} chosen={chosen} />
        </div>
      </div>
      <Fault error={error} />
      <div class="grid">
        <div class="card">
          <h3>Throughput, items per second</h3>
          <Chart label="Throughput" lines={THROUGHPUT} data={throughput} format={rate} scaledBy={OUT_AND_FAILED} />
        </div>
        <div class="card">
          <h3>Where items were: cumulative flow</h3>
          <Chart label="Cumulative flow" lines={bands} data={flow} format={count} isWhole />
        </div>
      </div>
    </>
  );
}
