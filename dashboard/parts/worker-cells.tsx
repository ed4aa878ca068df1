import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { now } from '../state/now.ts';
import type { Worker, Workers } from '../state/workers.ts';
import { duration } from './words.ts';

const MODES = ['running', 'limited', 'blocked', 'idle'] as const;

export interface WorkerCellsProps {
  stage: string;
  workers: Workers;
  /** How many do what, as the service counts them. */
  counts: Record<(typeof MODES)[number], number> | undefined;
}

/** The workers of a stage, a cell each. A frame changes the cells of those workers that changed, and renders nothing. */
export function WorkerCells({ stage, workers, counts }: WorkerCellsProps) {
  const all = workers.byStage.value.get(stage) ?? [];
  const box = useRef<HTMLFieldSetElement>(null);
  const chosen = useSignal<number | null>(null);

  useEffect(() => {
    const cells = new Map(all.map((worker, i) => [worker, box.current?.children[i] as HTMLElement | undefined]));
    const paint = (worker: Worker): void => {
      const cell = cells.get(worker);
      if (cell !== undefined && cell.dataset.mode !== worker.mode) cell.dataset.mode = worker.mode;
    };
    all.forEach(paint);
    return workers.frame.subscribe(() => {
      for (const worker of workers.changed) paint(worker);
    });
  }, [all, workers]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined || all.length === 0) return;
    event.preventDefault();
    chosen.value = ((chosen.value ?? (step > 0 ? -1 : 0)) + step + all.length) % all.length;
  };
  const onPointer = (event: PointerEvent): void => {
    const at = [...(box.current?.children ?? [])].indexOf(event.target as Element);
    if (at >= 0) chosen.value = at;
  };
  const leave = (): void => {
    chosen.value = null;
  };
  const worker = chosen.value === null ? undefined : all[chosen.value];
  return (
    <div class="workers">
      <fieldset
        class="cells"
        ref={box}
        data-size={all.length > 300 ? 's' : all.length > 60 ? 'm' : 'l'}
        aria-label={`Workers of ${stage}: arrow keys say what each one does`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys go from worker to worker
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerOver={onPointer}
        onPointerLeave={leave}
        onBlur={leave}
      >
        {all.map(({ name }, i) => (
          <i key={name} data-chosen={chosen.value === i ? '' : undefined} />
        ))}
      </fieldset>
      <p class="small cell-words" aria-live="polite">
        {worker === undefined ? <Counts counts={counts} /> : <Words worker={worker} workers={workers} />}
      </p>
    </div>
  );
}

function Counts({ counts }: Pick<WorkerCellsProps, 'counts'>) {
  const told = MODES.filter((mode) => (counts?.[mode] ?? 0) > 0);
  return (
    <span class="muted">
      {told.map((mode) => (
        <span key={mode} class="mode" data-mode={mode}>
          {counts?.[mode]} {mode}
        </span>
      ))}
    </span>
  );
}

function Words({ worker, workers }: { worker: Worker; workers: Workers }) {
  void workers.frame.value;
  const { name, mode, item, task, since, waitingFor } = worker;
  const time = since === null ? '' : ` for ${duration(Math.max(0, Math.round((now.value - Date.parse(since)) / 1000)))}`;
  const why =
    mode === 'limited'
      ? `, waits for ${waitingFor?.limiter ?? waitingFor?.task ?? 'a limit'}`
      : mode === 'blocked'
        ? ', the next stage is full'
        : '';
  return (
    <>
      <b>{name}</b> {item === null ? mode : `${task ?? mode}: ${item}${time}${why}`}
    </>
  );
}
