import { useSignal } from '@preact/signals';
import { Confirm } from '../parts/confirm.tsx';
import { Fault } from '../parts/fault.tsx';
import { Slider } from '../parts/slider.tsx';
import { count, duration, plural, rate } from '../parts/words.ts';
import { ask, path } from '../state/api.ts';
import { detailsOf } from '../state/live-data.ts';
import { may } from '../state/session.ts';
import type { LimiterView, PipelineDetail, ShutdownReport, StageTuned } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';

type StageDefinition = PipelineDetail['definition']['stages'][number];

/** What can be changed while it runs: workers and limits of stages, limiters, pauses, and the end. */
export function Control({ pipeline }: { pipeline: PipelineDetail }) {
  return (
    <>
      {!may('operate') && <p class="note">Your key may look, and change nothing here.</p>}
      <div class="grid">
        {pipeline.definition.stages.map((stage) => (
          <StageControl key={stage.name} pipeline={pipeline} stage={stage} />
        ))}
      </div>
      <Limiters pipeline={pipeline} />
      {may('admin') && <Shutdown id={pipeline.id} />}
    </>
  );
}

function StageControl({
  pipeline: { id, overrides, pausedStages, pausedReasons },
  stage,
}: {
  pipeline: PipelineDetail;
  stage: StageDefinition;
}) {
  const { name } = stage;
  const url = path`/pipelines/${id}/stages/${name}`;
  const fault = useSignal<Error | null>(null);
  const { stats } = detailsOf(id);
  const now = stats.value?.stages[name];
  const own = overrides[name] ?? {};
  const isPaused = pausedStages.includes(name);
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      fault.value = null;
      await work();
    } catch (thrown) {
      fault.value = thrown as Error;
    }
  };
  const tune = (body: object) => act(() => ask<StageTuned>(url, { method: 'PATCH', body: { ...own, ...body } }));
  const concurrency = own.taskConcurrencyLimits ?? stage.taskConcurrencyLimits ?? {};
  const rates = own.taskRateLimits ?? stage.taskRateLimits ?? {};
  const workers = own.workers ?? stage.workers;
  const isOff = !may('operate');
  return (
    <section class="card stage-control" aria-label={name}>
      <div class="head">
        <h2>{name}</h2>
        {isPaused && (
          <span class="tag" title={pausedReasons[name]}>
            paused
          </span>
        )}
        {!isOff && (
          <div class="actions">
            {Object.keys(own).length > 0 && (
              <button type="button" class="quiet" onClick={() => void act(() => ask(url, { method: 'DELETE' }))}>
                Reset to definition
              </button>
            )}
            <button type="button" onClick={() => void act(() => ask(`${url}/${isPaused ? 'resume' : 'pause'}`, { method: 'POST' }))}>
              {isPaused ? 'Resume' : 'Pause'}
            </button>
          </div>
        )}
      </div>
      <Slider label="Workers" value={workers} defined={stage.workers} isOff={isOff} change={(value) => void tune({ workers: value })} />
      {Object.entries(concurrency).map(([task, limit]) => (
        <Slider
          key={`c ${task}`}
          label={`${task} at one time`}
          value={limit}
          defined={stage.taskConcurrencyLimits?.[task] ?? limit}
          isOff={isOff}
          change={(value) => void tune({ taskConcurrencyLimits: { ...concurrency, [task]: value } })}
        />
      ))}
      {Object.entries(rates).map(([task, { limit, perSeconds }]) => (
        <Slider
          key={`r ${task}`}
          label={`${task} per ${duration(perSeconds)}`}
          value={limit}
          defined={stage.taskRateLimits?.[task]?.limit ?? limit}
          isOff={isOff}
          change={(value) => void tune({ taskRateLimits: { ...rates, [task]: { limit: value, perSeconds } } })}
        />
      ))}
      {now !== undefined && (
        <p class="muted small effect">
          Now: {now.workers.running} running, {now.workers.limited} limited, {now.workers.blocked} blocked, {now.workers.idle} idle;{' '}
          {count(now.pendingItems)} waiting; {rate(now.ratePerSecond.out)} out
        </p>
      )}
      <Fault error={fault.value} />
    </section>
  );
}

function Limiters({ pipeline }: { pipeline: PipelineDetail }) {
  const { data, error, again } = useRequest<{ limiters: LimiterView[] }>('/limiters', { everySeconds: 3 });
  const used =
    data?.limiters.filter(({ waiters, name }) => waiters.some(({ pipelineId }) => pipelineId === pipeline.id) || isNamed(pipeline, name)) ??
    [];
  if (used.length === 0) return <Fault error={error} />;
  return (
    <div class="grid limiters">
      {used.map((limiter) => (
        <LimiterControl key={limiter.name} limiter={limiter} done={again} />
      ))}
    </div>
  );
}

function isNamed({ definition }: PipelineDetail, name: string): boolean {
  return definition.stages.some(({ tasks }) =>
    tasks.some((task) => typeof task === 'object' && [(task as { limiter?: string | string[] }).limiter].flat().includes(name)),
  );
}

function LimiterControl({
  limiter: { name, settings, defined, inUse, waiting, heldUntil },
  done,
}: {
  limiter: LimiterView;
  done: () => void;
}) {
  const fault = useSignal<Error | null>(null);
  const url = path`/limiters/${name}`;
  const isOff = !may('operate');
  const act = async (method: 'PATCH' | 'DELETE', body?: object): Promise<void> => {
    try {
      fault.value = null;
      await ask(url, { method, ...(body && { body }) });
      done();
    } catch (thrown) {
      fault.value = thrown as Error;
    }
  };
  const isChanged = settings.limit !== defined.limit || settings.concurrency !== defined.concurrency;
  return (
    <section class="card stage-control" aria-label={`Limiter ${name}`}>
      <div class="head">
        <h2>
          <span class="muted">Limiter</span> {name}
        </h2>
        {!isOff && (
          <div class="actions">
            {heldUntil !== null && (
              <button type="button" onClick={() => void act('PATCH', { heldUntil: null })}>
                End its hold
              </button>
            )}
            {isChanged && (
              <button type="button" class="quiet" onClick={() => void act('DELETE')}>
                Reset to definition
              </button>
            )}
          </div>
        )}
      </div>
      {settings.limit !== undefined && (
        <Slider
          label={`Per ${duration(settings.perSeconds ?? 1)}`}
          value={settings.limit}
          defined={defined.limit ?? settings.limit}
          isFractional
          isOff={isOff}
          change={(limit) => void act('PATCH', { limit, perSeconds: settings.perSeconds ?? 1 })}
        />
      )}
      {settings.concurrency !== undefined && (
        <Slider
          label="At one time"
          value={settings.concurrency}
          defined={defined.concurrency ?? settings.concurrency}
          isOff={isOff}
          change={(concurrency) => void act('PATCH', { concurrency })}
        />
      )}
      <p class="muted small effect">
        Now: {count(inUse)} in use, {count(waiting)} waiting
      </p>
      <Fault error={fault.value} />
    </section>
  );
}

const MODES = [
  ['graceful', 'Graceful', 'Running items finish; queued ones stay, for the next start.'],
  ['drain', 'Drain', 'Every item finishes, queued ones too.'],
  ['force', 'Force', 'Running tasks are aborted; their items stay, for the next start.'],
] as const;

/** Stops the pipeline, and says what became of its items. */
function Shutdown({ id }: { id: string }) {
  const mode = useSignal(0);
  const isAsked = useSignal(false);
  const report = useSignal<ShutdownReport | null>(null);
  const fault = useSignal<Error | null>(null);
  const [name, , words] = MODES[mode.value] as (typeof MODES)[number];
  const act = async (): Promise<void> => {
    isAsked.value = false;
    try {
      fault.value = null;
      report.value = await ask<ShutdownReport>(path`/pipelines/${id}/shutdown`, {
        method: 'POST',
        body: { mode: name, timeoutSeconds: 30 },
      });
    } catch (thrown) {
      fault.value = thrown as Error;
    }
  };
  return (
    <section class="card" aria-label="Shut down">
      <h2>Shut down</h2>
      <div class="fields">
        <label>
          How
          <select value={mode.value} onChange={({ currentTarget }) => (mode.value = currentTarget.selectedIndex)}>
            {MODES.map(([value, label], i) => (
              <option key={value} value={i}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <p class="muted grow">{words}</p>
        <button type="button" class="danger" onClick={() => (isAsked.value = true)}>
          Shut down…
        </button>
      </div>
      {report.value !== null && (
        <p class="note" role="status">
          {reportWords(report.value)}
        </p>
      )}
      <Fault error={fault.value} />
      {isAsked.value && (
        <Confirm title={`Shut down ${id}?`} verb="Shut down" isDangerous confirm={() => void act()} close={() => (isAsked.value = false)}>
          {words} It takes no more items until it is started again.
        </Confirm>
      )}
    </section>
  );
}

function reportWords({ mode, finished, leftQueued, aborted, notKept, timedOut }: ShutdownReport): string {
  const lost = notKept > 0 ? ` ${plural(notKept, 'item')} would be lost with the process: the store keeps nothing.` : '';
  return `Stopped (${mode}${timedOut ? ', when the time was up' : ''}): ${plural(finished, 'item')} finished, ${count(leftQueued)} left in the queue, ${plural(aborted, 'task')} aborted.${lost}`;
}
