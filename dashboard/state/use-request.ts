import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from './api.ts';
import { epoch } from './live-data.ts';

export interface Requested<T> {
  /** The last answer, also while the next one is asked for. */
  data: T | undefined;
  error: Error | null;
  /** Asks again at once. */
  again(): void;
}

export interface RequestOptions<T> {
  /** How it is read; by default as one document. It is to stay the same. */
  read?: (url: string, signal: AbortSignal) => Promise<T>;
  /** Asks again at this interval, in a visible tab. */
  everySeconds?: number;
  /** Asks again when it changes: a count of events that what is shown depends on. */
  on?: unknown;
}

/** However many events say that something has changed, it is asked for at most this often. */
const REST_MS = 1000;

const askFor = <T>(url: string, signal: AbortSignal): Promise<T> => ask<T>(url, { signal });

/** Reads a document of the API, and reads it again when it may have changed. `null`: nothing is to be read. */
export function useRequest<T>(url: string | null, { everySeconds, on, read = askFor }: RequestOptions<T> = {}): Requested<T> {
  const [state, setState] = useState<{ url: string | null; data: T | undefined; error: Error | null }>({
    url,
    data: undefined,
    error: null,
  });
  const [turn, setTurn] = useState(0);
  const lastAt = useRef({ url, at: 0 });
  const missed = epoch.value;

  // `on`, `turn` and `missed` say that the answer may be another.
  useEffect(() => {
    if (url === null) return;
    const controller = new AbortController();
    const isSame = lastAt.current.url === url;
    const wait = isSame ? Math.max(0, lastAt.current.at + REST_MS - Date.now()) : 0;
    const timer = setTimeout(async () => {
      lastAt.current = { url, at: Date.now() };
      try {
        const data = await read(url, controller.signal);
        setState({ url, data, error: null });
      } catch (error) {
        if (!controller.signal.aborted)
          setState((before) => ({ url, data: before.url === url ? before.data : undefined, error: error as Error }));
      }
    }, wait);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [url, on, turn, missed, read]);

  useEffect(() => {
    if (everySeconds === undefined) return;
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') setTurn((before) => before + 1);
    }, everySeconds * 1000);
    return () => clearInterval(timer);
  }, [everySeconds]);

  const isOf = state.url === url;
  return {
    data: isOf ? state.data : undefined,
    error: isOf ? state.error : null,
    again() {
      lastAt.current.at = 0;
      setTurn((before) => before + 1);
    },
  };
}
