import { useSignal } from '@preact/signals';
import { Fault } from '../parts/fault.tsx';
import { ask, path } from '../state/api.ts';
import { may } from '../state/session.ts';

/** Pauses a pipeline, resumes it, or starts it again: whichever its state allows. */
export function PauseButton({ id, state, done }: { id: string; state: string; done: () => void }) {
  const error = useSignal<Error | null>(null);
  if (!may('operate')) return null;
  const [verb, label] = state === 'running' ? ['pause', 'Pause'] : state === 'paused' ? ['resume', 'Resume'] : ['start', 'Start'];
  if (state === 'draining') return null;
  const act = async (): Promise<void> => {
    try {
      error.value = null;
      await ask(`${path`/pipelines/${id}`}/${verb}`, { method: 'POST' });
      done();
    } catch (thrown) {
      error.value = thrown as Error;
    }
  };
  return (
    <>
      <button type="button" class={verb === 'pause' ? '' : 'primary'} onClick={() => void act()}>
        {label}
      </button>
      <Fault error={error.value} />
    </>
  );
}
