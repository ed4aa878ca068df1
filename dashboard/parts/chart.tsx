import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useSignal } from '@preact/signals';
import { colours } from '../state/theme.ts';

export interface Line {
  name: string;
  /** A colour of `styles/tokens.css`, without its dashes. */
  colour: string;
  /** Filled down to the axis; lines are drawn in their order, so what is stacked goes from the top down. */
  isFilled?: boolean;
}

export interface ChartProps {
  label: string;
  lines: readonly Line[];
  /** Seconds since the epoch, then the values of each line. */
  data: readonly (readonly (number | null)[])[];
  height?: number;
  format: (value: number) => string;
  /** Its values are whole, and so are the marks of its scale. */
  isWhole?: boolean;
  /** These lines alone set the scale, unless the others are not much higher: one burst would make the rest flat. */
  scaledBy?: readonly number[];
}

/** A chart over time. Its names with the values under the pointer, or the last ones, stand above it as text. */
export function Chart({ label, lines, data, height = 190, format, isWhole = false, scaledBy }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const at = useSignal<number | null>(null);
  const scheme = colours.value;
  const key = lines.map(({ name, colour }) => `${name} ${colour}`).join();

  // Made anew for other lines or colours alone; data come by the effect below.
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const axis: uPlot.Axis = {
      stroke: colour('muted'),
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui, sans-serif',
    };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        legend: { show: false },
        padding: [8, 22, 0, 0],
        cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
        scales: { y: { range: (chart, __, max) => [0, topOf(chart, max, scaledBy)] } },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 28,
            space: 70,
            values: [
              [86_400, '{D} {MMM}'],
              [3600, '{HH}:{mm}'],
              [60, '{HH}:{mm}'],
              [1, '{HH}:{mm}:{ss}'],
            ].map(([incr, text]) => [incr, text, null, null, null, null, null, null, 1]) as never,
          },
          { ...axis, size: 52, space: 36, ...(isWhole && { incrs: WHOLE_STEPS }), values: (_, ticks) => ticks.map((tick) => format(tick)) },
        ],
        series: [
          {},
          ...lines.map(({ name, colour: of, isFilled = false }) => ({
            label: name,
            stroke: isFilled ? colour('surface') : colour(of),
            width: isFilled ? 1 : 1.75,
            points: { show: false },
            ...(isFilled && { fill: colour(of) }),
          })),
        ],
        hooks: {
          setCursor: [
            (chart) => {
              at.value = chart.cursor.idx ?? null;
            },
          ],
        },
      },
      data as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [key, scheme, height]);

  useEffect(() => {
    plot.current?.setData(data as uPlot.AlignedData);
  }, [data]);

  const index = at.value ?? (data[0]?.length ?? 0) - 1;
  return (
    <figure class="chart">
      <figcaption class="legend">
        <span class="hidden-text">{label}:</span>
        {lines.map(({ name, colour }, i) => {
          const value = data[i + 1]?.[index];
          return (
            <span key={name} data-colour={colour}>
              {name} <b>{value === null || value === undefined ? '–' : format(value)}</b>
            </span>
          );
        })}
      </figcaption>
      {data[0]?.length === 0 && <p class="chart-empty muted small">Nothing has been measured yet.</p>}
      <div ref={box} data-empty={data[0]?.length === 0 ? '' : undefined} aria-hidden="true" />
    </figure>
  );
}

const WHOLE_STEPS = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

/** A line that goes beyond the others by this much is cut off at the top. */
const CUT_FACTOR = 3;

function topOf(chart: uPlot, max: number, scaledBy: readonly number[] | undefined): number {
  const chosen = scaledBy === undefined ? max : Math.max(0, ...scaledBy.flatMap((i) => (chart.data[i + 1] ?? []) as number[]));
  const top = chosen > 0 && chosen * CUT_FACTOR < max ? chosen * 1.3 : max;
  return top > 0 ? top * 1.08 : 1;
}
