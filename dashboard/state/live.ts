import { effect, signal } from '@preact/signals';
import { readStream, type StreamEvent, StreamRefused } from './event-stream.ts';
import { detailsOf, takeEvents } from './live-data.ts';
import { keyMark, session, sessionLost } from './session.ts';

/*
 * One event stream for all tabs of a browser: a browser has six connections to a service, and a stream takes one for good.
 *
 *     hidden ──shown──▶ waiting ──lock──▶ leading (reads the stream, tells the others)
 *        ◀──────────────hidden─────────────┘
 *
 * A Web Lock says who leads: exactly one of the tabs that are visible, so that no stream is open when none is. Only `lead` opens one. Each event goes over a
 * BroadcastChannel to the other tabs with the id that it left the stream at; whoever leads next goes on from there. (A SharedWorker would be the other way;
 * its constructor takes text that becomes a script, which `trusted-types 'none'` refuses.)
 *
 * Browsers have locks and digests in secure contexts alone: over plain http at any name but localhost there are none. Each tab then leads for itself.
 */

export type Connection =
  | { is: 'connecting' }
  | { is: 'live'; since: number }
  /** It broke, and is tried again at an instant. */
  | { is: 'broken'; retryAt: number; why: string }
  | { is: 'hidden' };

export const connection = signal<Connection>({ is: 'connecting' });

/** Pipelines whose details this tab shows. */
const shown = signal<readonly string[]>([]);
/** Called by the view of a pipeline, with what to call when it goes. */
export function follow(id: string): () => void {
  shown.value = [...shown.value, id];
  return () => {
    const at = shown.value.indexOf(id);
    shown.value = shown.value.filter((_, i) => i !== at);
  };
}

type Message =
  | { kind: 'events'; events: StreamEvent[]; last: string | null }
  | { kind: 'connection'; connection: Connection }
  | { kind: 'needs'; tab: string; pipelines: readonly string[] }
  | { kind: 'left'; tab: string }
  /** A tab leads now, and asks the others what they show. */
  | { kind: 'asks' };

const TAB = crypto.getRandomValues(new Uint32Array(4)).join('-');
/** A snapshot corrects what events do not tell: which workers wait, and for what. That of a thousand workers is hundreds of kilobytes. */
const SNAPSHOT_SECONDS = { few: 1, many: 5 };
const MANY_WORKERS = 200;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
/** A timer that is this late has slept with the machine. */
const TICK_MS = 4000;
const SLEPT_MS = 12_000;

let channel: BroadcastChannel | undefined;
/** The id after which this tab knows nothing. */
let last: string | null = null;
const needsOfOthers = new Map<string, readonly string[]>();
/** Ends the present connection; the reason says whether to open the next at once. */
let reconnect: (() => void) | undefined;
let isLeading = false;

function tell(message: Message): void {
  channel?.postMessage(message);
}

function setConnection(next: Connection): void {
  connection.value = next;
}

/** Starts to follow, for as long as there is a session. */
export function startLive(): void {
  effect(() => {
    if (!session.value) return;
    const life = new AbortController();
    void join(life.signal);
    return () => life.abort();
  });
}

async function join(life: AbortSignal): Promise<void> {
  const lock = 'locks' in navigator ? `sluice-live-${await keyMark()}` : null;
  if (life.aborted) return;
  last = null;
  needsOfOthers.clear();
  if (lock !== null) {
    channel = new BroadcastChannel(lock);
    channel.onmessage = ({ data }: MessageEvent<Message>) => hear(data);
  }
  const unwatch = effect(() => {
    tell({ kind: 'needs', tab: TAB, pipelines: shown.value });
    reconnect?.();
  });
  let turn: AbortController | undefined;
  const look = (): void => {
    if (document.visibilityState === 'visible') {
      if (turn !== undefined) return;
      turn = new AbortController();
      setConnection({ is: 'connecting' });
      tell({ kind: 'needs', tab: TAB, pipelines: shown.value });
      void waitToLead(lock, turn.signal);
    } else {
      turn?.abort();
      turn = undefined;
      tell({ kind: 'left', tab: TAB });
      setConnection({ is: 'hidden' });
    }
  };
  const leave = (): void => {
    turn?.abort();
    turn = undefined;
    tell({ kind: 'left', tab: TAB });
  };
  document.addEventListener('visibilitychange', look, { signal: life });
  addEventListener('pagehide', leave, { signal: life });
  addEventListener('pageshow', look, { signal: life });
  life.addEventListener('abort', () => {
    leave();
    unwatch();
    channel?.close();
    channel = undefined;
  });
  look();
}

function hear(message: Message): void {
  switch (message.kind) {
    case 'events':
      last = message.last;
      takeEvents(message.events);
      break;
    case 'connection':
      // A hidden tab is not told apart by what the others do.
      if (document.visibilityState === 'visible') setConnection(message.connection);
      break;
    case 'needs':
      needsOfOthers.set(message.tab, message.pipelines);
      if (isLeading) tell({ kind: 'connection', connection: connection.value });
      reconnect?.();
      break;
    case 'left':
      needsOfOthers.delete(message.tab);
      break;
    case 'asks':
      if (document.visibilityState === 'visible') tell({ kind: 'needs', tab: TAB, pipelines: shown.value });
  }
}

/** Ends with the last turn of this tab: hidden and shown again, it may still be leaving that one, and no lock may be there to hold it back. */
let lastTurn: Promise<void> = Promise.resolve();

function waitToLead(lock: string | null, signal: AbortSignal): Promise<void> {
  lastTurn = lastTurn.then(async () => {
    if (signal.aborted) return;
    try {
      await (lock === null ? lead(signal) : navigator.locks.request(lock, { signal }, () => lead(signal)));
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      isLeading = false;
    }
  });
  return lastTurn;
}

/** Keeps a stream open until this tab is hidden. */
async function lead(signal: AbortSignal): Promise<void> {
  isLeading = true;
  needsOfOthers.clear();
  tell({ kind: 'asks' });
  let failures = 0;
  while (!signal.aborted) {
    const once = new AbortController();
    const url = streamUrl();
    let isWanted = false;
    reconnect = () => {
      if (streamUrl() === url) return;
      isWanted = true;
      once.abort();
    };
    const unwatch = wakeUp(() => {
      isWanted = true;
      once.abort();
    });
    let why = 'the stream has ended';
    try {
      await readStream({
        url,
        lastEventId: last,
        signal: AbortSignal.any([signal, once.signal]),
        onOpen() {
          failures = 0;
          publish({ is: 'live', since: Date.now() });
        },
        onEvents(events, id) {
          last = id;
          takeEvents(events);
          if (needsOfOthers.size > 0 && events.length > 0) tell({ kind: 'events', events, last: id });
        },
      });
    } catch (error) {
      if (error instanceof StreamRefused && error.status === 401) {
        sessionLost();
        return;
      }
      // An id of another life of the service: begin anew, and say so to whoever shows what it read.
      if (error instanceof StreamRefused && error.status === 400 && last !== null) {
        last = null;
        isWanted = true;
        takeEvents([{ event: 'gap', data: { missed: null, oldest: null } }]);
      }
      why = error instanceof Error ? error.message : String(error);
    } finally {
      unwatch();
      reconnect = undefined;
    }
    if (signal.aborted || isWanted) continue;
    const wait = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)] as number;
    publish({ is: 'broken', retryAt: Date.now() + wait, why });
    await pause(wait, signal);
    if (!signal.aborted) publish({ is: 'connecting' });
  }
}

function publish(next: Connection): void {
  setConnection(next);
  tell({ kind: 'connection', connection: next });
}

/** The one stream: the overview of all, and the details of what any tab shows. */
function streamUrl(): string {
  const pipelines = [...new Set([...shown.value, ...[...needsOfOthers.values()].flat()])].sort();
  const params = new URLSearchParams({ overviewSeconds: '1' });
  if (pipelines.length === 0) {
    params.set('types', 'pipeline');
  } else {
    params.set('types', 'status,pipeline,feed');
    params.set('statsSeconds', '1');
    params.set('snapshotSeconds', String(workersShown() > MANY_WORKERS ? SNAPSHOT_SECONDS.many : SNAPSHOT_SECONDS.few));
    for (const id of pipelines) for (const name of ['pipelineId', 'statsFor', 'snapshotFor']) params.append(name, id);
  }
  return `/events?${params}`;
}

function workersShown(): number {
  return shown.value.reduce((sum, id) => sum + detailsOf(id).workers.size, 0);
}

/** Calls back when the machine has slept or is on a network again: the old connection may be dead without a word. */
function wakeUp(then: () => void): () => void {
  let before = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - before > SLEPT_MS) then();
    before = now;
  }, TICK_MS);
  addEventListener('online', then);
  return () => {
    clearInterval(timer);
    removeEventListener('online', then);
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      removeEventListener('online', end);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener('online', end);
    signal.addEventListener('abort', end);
  });
}
