import { connection } from '../state/live.ts';
import { now } from '../state/now.ts';
import { duration } from './words.ts';

/** How the stream is: in a word, a colour, and for a screen reader. */
export function ConnectionState() {
  const state = connection.value;
  const [mode, text] =
    state.is === 'live'
      ? ['live', 'Live']
      : state.is === 'connecting'
        ? ['connecting', 'Connecting']
        : state.is === 'hidden'
          ? ['connecting', 'Resting']
          : ['broken', `No connection, next try in ${duration(Math.max(0, Math.ceil((state.retryAt - now.value) / 1000)))}`];
  return (
    <span class="connection" data-state={mode} role="status" title={state.is === 'broken' ? state.why : undefined}>
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}
