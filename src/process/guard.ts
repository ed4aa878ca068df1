/**
 * Every way in which this process ends from within, so that none is without a line in the log, and none that a task has chosen looks like
 * an end in order. Whoever ended it is blamed beside the store, where that is known: see {@link Blame}.
 *
 * Not seen are ends that never pass through JavaScript of this thread: a signal from outside, a crash of native code, memory that is used
 * up.
 */
import type { Logger } from 'pino';
import type { Work } from '../engine/ports.ts';

export interface GuardOptions {
  logger: Logger;
  /** The call that is running now, or that started what is running now. */
  workNow: () => Work | null;
  isStopping: () => boolean;
}

export interface Guard {
  /** Where it is noted who ends the process, once there is a store. */
  blame: (work: Work) => void;
  /** Ends the process as we mean to. */
  exit(code: number): never;
  /** Becomes another program, when nothing of this one must be waited for; returns where that cannot be done. */
  become(command: [string, ...string[]]): void;
}

const EXIT_FAULT = 1;
/** Signals that a task may send to its own process without killing it: those that ask it to stop, and 0, which only asks. */
const HARMLESS = new Set<unknown>([0, 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGWINCH', 'SIGCONT', 'SIGCHLD', 'SIGUSR1']);

type ReallyExit = (code?: number) => never;
type Execve = (file: string, args: readonly string[], env: object) => never;
type Patched = { reallyExit: ReallyExit; execve?: Execve };

export function guardProcess({ logger, workNow, isStopping }: GuardOptions): Guard {
  const patched = process as unknown as Patched;
  let isOurs = false;
  let isTold = false;
  const guard: Guard = {
    blame: () => undefined,
    exit(code) {
      isOurs = true;
      process.exit(code);
    },
    become(command) {
      isOurs = true;
      try {
        patched.execve?.(command[0], command, {});
      } catch (err) {
        logger.error({ err }, 'the process is killed, since it cannot end otherwise');
      }
    },
  };

  function blameWork(work: Work | null): void {
    if (work === null) return;
    try {
      guard.blame(work);
    } catch (err) {
      logger.error({ err }, 'it cannot be noted who is to blame; all that runs is');
    }
  }

  function tell(what: string, fields: object = {}): void {
    if (isTold) return;
    isTold = true;
    const work = workNow();
    logger.fatal({ ...fields, ...work, stack: new Error(what).stack }, what);
    blameWork(work);
  }

  process.on('uncaughtException', (err) => {
    const work = workNow();
    logger.fatal({ err, ...work }, 'uncaught exception');
    blameWork(work);
    guard.exit(EXIT_FAULT);
  });

  // A promise that a user's task left behind and that failed: the task's own attempt has ended otherwise, nothing here is broken.
  process.on('unhandledRejection', (err) => {
    logger.error({ err, ...workNow() }, 'a promise was rejected and nobody waited for it');
  });

  process.on('exit', (code) => {
    if (isOurs) return;
    tell('process.exit was called', { code });
    if (code === 0 && !isStopping()) process.exitCode = EXIT_FAULT;
  });

  const { reallyExit, execve } = patched;
  const { abort, kill } = process;
  // The function behind process.exit; called directly, it skips the event.
  patched.reallyExit = (code) => {
    if (!isOurs) tell('process.reallyExit was called', { code });
    return reallyExit.call(process, isOurs || isStopping() ? code : code || EXIT_FAULT);
  };
  process.abort = () => {
    tell('process.abort was called');
    return abort.call(process);
  };
  process.kill = (pid, signal) => {
    // 0 and a negative number are groups of processes, which this one may be of.
    if ((pid <= 0 || pid === process.pid) && !HARMLESS.has(signal ?? 'SIGTERM'))
      tell('process.kill was called on this process', { signal });
    return kill.call(process, pid, signal);
  };
  if (execve !== undefined) {
    patched.execve = (...args) => {
      if (!isOurs) tell('process.execve was called');
      return execve.apply(process, args);
    };
  }
  return guard;
}
