/**
 * Hands that this process starts, on this machine: it starts those again that end, and they end with it, however it ends, since each listens to the channel between them.
 * What they need to connect goes over that channel; the key is in no environment, which tasks can read.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { hostname } from 'node:os';
import { type Clock, type Logger, unref } from '../engine/ports.ts';

/** The first message that a hand gets from the process that started it. */
export interface OwnHandOrder {
  urls: string[];
  key: string | undefined;
}

/** The later messages: by which epoch the pipelines are owned from now on. */
export interface OwnerNews {
  epoch: number;
}

export interface OwnHandsOptions {
  count: number;
  /** The file that is run, which finds `ROLE=hand`. */
  entry: string;
  environment: Readonly<Record<string, string>>;
  order: OwnHandOrder;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

export interface OwnHands {
  /** Tells all of them by which epoch the pipelines are owned now. */
  ownedBy(epoch: number): void;
  /** Ends a hand that does nothing any more; another takes its place. */
  kill(name: string): void;
  /** Ends all of them, within three seconds. */
  close(): Promise<void>;
}

/** Pauses before a hand is started again are drawn from half of this to this, which doubles each time. */
const PAUSE_MS = { first: 200, most: 30_000 };
/** One that has run for so long has not failed at its start. */
const LASTED_MS = 30_000;
const END_MS = 2000;

export function startOwnHands({ count, entry, environment, order, clock, random, logger }: OwnHandsOptions): OwnHands {
  const children = new Map<string, ChildProcess>();
  const pauses = new Map<string, unknown>();
  let isClosing = false;

  function start(name: string, failures: number): void {
    const child = fork(entry, [], {
      env: { ...environment, ROLE: 'hand', OWNER_URL: order.urls.join(','), HAND_NAME: name, HANDS: '0' },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const startedAt = clock.monotonic();
    children.set(name, child);
    child.send(order, () => undefined);
    child.once('error', (err) => logger.error({ err, hand: name }, 'a hand cannot be started, or told anything'));
    child.once('exit', (code, signal) => {
      children.delete(name);
      if (isClosing) return;
      const tries = clock.monotonic() - startedAt > LASTED_MS ? 0 : failures;
      const longest = Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** tries);
      const pauseMs = Math.round(longest * (0.5 + random() / 2));
      logger.error({ hand: name, code, signal, againInSeconds: pauseMs / 1000 }, 'a hand has ended; it is started again');
      const timer = clock.setTimer(() => {
        pauses.delete(name);
        start(name, Math.min(tries + 1, 16));
      }, pauseMs);
      unref(timer);
      pauses.set(name, timer);
    });
  }

  for (let i = 1; i <= count; i++) start(`${hostname()}-${i}`, 0);

  return {
    ownedBy(epoch) {
      // One that ends meanwhile is started again, and asks where the owner is.
      for (const child of children.values()) if (child.connected) child.send({ epoch } satisfies OwnerNews, () => undefined);
    },
    kill: (name) => void children.get(name)?.kill('SIGKILL'),
    async close() {
      isClosing = true;
      for (const timer of pauses.values()) clock.clearTimer(timer);
      await Promise.all(
        [...children.values()].map(
          (child) =>
            new Promise<void>((resolve) => {
              const late = clock.setTimer(() => child.kill('SIGKILL'), END_MS);
              // Once the channel is closed from this side, `close` does not come.
              child.once('exit', () => {
                clock.clearTimer(late);
                resolve();
              });
              if (child.connected) child.disconnect();
            }),
        ),
      );
    },
  };
}
