import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HostStore } from '../../src/engine/durable/host-store.ts';
import type { Unstored } from '../../src/engine/durable/unstored.ts';
import {
  createLocalHost,
  createTaskRegistry,
  type LocalHost,
  type LocalHostOptions,
  type TaskDeclaration,
  type TaskHandler,
  type TaskRegistry,
} from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';

export interface Life {
  host: LocalHost;
  /** The process is gone: what is not stored by now will never be. */
  crash: () => Promise<void>;
  /** It ends as a service does when it is asked to. */
  stop: () => Promise<void>;
}

/** What becomes of a log below a store, at whatever moment. */
export interface LogNemeses {
  /** The last entry that the file of the owner has. */
  position: () => number;
  /** Whether the file of the owner has what the log has not, or has lost. */
  isApart: () => boolean;
  /** The last entries are gone; returns the last one that is left. */
  loseTail: () => number;
  /** The log answers nothing for a while. */
  stall: () => void;
  /** Another node owns. */
  usurp: () => Promise<void>;
}

export interface Lives {
  /** Where there is a log. */
  log?: LogNemeses;
  /** Whether what is below the store fails by itself, where something does. None does at first. */
  setFaults?: (are: boolean) => void;
  /** Where what is kept is now. */
  file: () => string;
  /**
   * Another process on what the one before has left: it is taken up. `files`: the definitions that it loads before anything goes on; `first` is what it does
   * before it recovers.
   */
  begin: (
    options?: Partial<LocalHostOptions>,
    files?: readonly { id: string; stages: StageDefinitionInput[] }[],
    first?: (host: LocalHost, life: Life) => void,
  ) => Promise<Life>;
}

export const HOST = {
  maxStages: 64,
  maxWorkersPerStage: 10_000,
  retentionMaxItems: 10_000,
  retentionMaxAgeSeconds: 3_600,
  backlogCapacity: 100_000,
  eventsKept: 50_000,
  hookTimeoutSeconds: 30,
};

/** What of a host is not stored, as it counts it. */
export function unstoredOf(host: LocalHost): Unstored | undefined {
  return (host as unknown as { stored: HostStore | null }).stored?.flusher.unstored;
}

/** The tasks and hooks by their names. */
export function registryOf(tasks: Record<string, TaskHandler>, hooks: Record<string, TaskHandler> = {}): TaskRegistry {
  const declare = (kind: 'task' | 'hook', all: Record<string, TaskHandler>): TaskDeclaration[] =>
    Object.entries(all).map(([name, run]) => ({
      kind,
      name,
      description: name,
      paramsSchema: null,
      parseParams: (given) => given,
      run,
    }));
  return createTaskRegistry([...declare('task', tasks), ...declare('hook', hooks)]);
}

/**
 * Hosts that live one after the other on one store, all in this process. A crash copies the files as they are, as `kill -9` leaves
 * them, and the next host gets the copy; whatever the old one does after that reaches nobody.
 * `finish` lets a virtual clock go on while something is waited for; `disk` is what each host gets in place of its store.
 */
export function livesOf(
  tasks: Record<string, TaskHandler>,
  defaults: Partial<LocalHostOptions> = {},
  finish: <T>(work: Promise<T>) => Promise<T> = (work) => work,
  disk: (store: Store) => Store = (store) => store,
): Lives {
  const folder = folderWith();
  let number = 0;
  const file = (): string => join(folder, `life-${number}.db`);
  const registry = registryOf(tasks);
  let current: Life | null = null;
  onTestFinished(() => current?.stop());
  return {
    file,
    begin: async (options = {}, files = [], first = () => undefined) => {
      const store = disk(await openSqliteStore({ file: file(), inProcess: true }));
      const host = createLocalHost({ ...HOST, registry, ports: systemPorts, store, ...defaults, ...options });
      const end = async (mode: 'graceful' | 'force'): Promise<void> => {
        if (current === life) current = null;
        await finish(host.shutdown(mode, 10));
        await finish(host.close());
      };
      const life: Life = {
        host,
        crash: async () => {
          const left = file();
          number++;
          for (const suffix of ['', '-wal', '-running']) if (existsSync(left + suffix)) copyFileSync(left + suffix, file() + suffix);
          await end('force');
        },
        stop: () => end('graceful'),
      };
      first(host, life);
      await finish(host.recover(new Set(files.map(({ id }) => id))));
      for (const definition of files) await finish(host.load(definition));
      // What it has may run, and end it, at once.
      current = life;
      host.goOn();
      return life;
    },
  };
}
