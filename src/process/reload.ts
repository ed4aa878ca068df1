/**
 * A reload: keys, secrets and definitions are read again, each for itself. What is wrong with one of them leaves that one as it was and is an error line;
 * nothing of it ends the process.
 *
 *     idle ──ask──▶ reloading ──ask──▶ reloading, once more after it ──▶ … ──▶ idle
 */
import { isDeepStrictEqual } from 'node:util';
import type { LocalHost, Operator } from '../engine/index.ts';
import type { Logger } from '../engine/ports.ts';
import type { Loaded, LoadedLimiter } from '../loader/definitions.ts';
import { filesHash } from '../loader/files-hash.ts';
import type { LiveSecrets } from '../loader/secrets.ts';
import { warnOfOthers } from '../loader/started-pipelines.ts';
import type { ApiKey } from '../schemas/api-key.ts';

export interface ReloadDeps {
  host: Pick<LocalHost, 'load' | 'limiters' | 'keepFiles'>;
  /** Puts other keys in force, and returns what is different. */
  keys: { replace(keys: readonly ApiKey[]): object };
  secrets: LiveSecrets;
  readKeys(): { keys: ApiKey[]; faults: string[] };
  readSecrets(): { secrets: Record<string, string>; faults: string[] };
  readDefinitions(): Promise<Loaded>;
  /** The definitions of the start. */
  loaded: Loaded;
  /** In a cluster: told of the definitions that were read; false: another node owns, so nothing is made of them here. */
  owns?(read: Loaded): boolean;
  /** Told of the secrets after each reload. */
  onSecrets(values: Readonly<Record<string, string>>): void;
  logger: Logger;
}

interface Failed {
  name: string;
  source: string;
  reason: string;
}

export interface Reload {
  /** Resolves when a reload that began after this call has ended. It never rejects. `by`: the signal. */
  ask(by: string): Promise<void>;
}

export function createReload(deps: ReloadDeps): Reload {
  const { host, keys, secrets, logger } = deps;
  let { loaded } = deps;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  function wrong(part: string, faults: readonly string[]): null {
    logger.error({ part, faults }, 'a part of the reload is wrong; what was in force stays');
    return null;
  }

  /** Does a part; what it throws is told, and what was in force stays. */
  async function part<T>(name: string, work: () => T | Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      const { faults, message } = error as { faults?: string[]; message?: string };
      return wrong(name, faults ?? [message ?? String(error)]);
    }
  }

  function reloadKeys() {
    const read = deps.readKeys();
    return read.faults.length > 0 ? wrong('keys', read.faults) : keys.replace(read.keys);
  }

  function reloadSecrets() {
    const read = deps.readSecrets();
    if (read.faults.length > 0) return wrong('secrets', read.faults);
    const changes = secrets.replace(read.secrets);
    deps.onSecrets(secrets.values);
    return changes;
  }

  async function reloadLimiters(limiters: readonly LoadedLimiter[], operator: Operator) {
    const [created, changed, failed]: [string[], string[], Failed[]] = [[], [], []];
    for (const { name, settings, source } of limiters) {
      try {
        const before = loaded.limiters.find((other) => other.name === name)?.settings;
        if (host.limiters.find(name) === undefined) {
          host.limiters.define(name, settings);
          created.push(name);
        } else if (before === undefined || !isDeepStrictEqual(before, settings)) {
          await host.limiters.redefine(name, settings, operator);
          changed.push(name);
        }
      } catch (error) {
        failed.push({ name, source, reason: (error as Error).message });
      }
    }
    return { created, changed, failed };
  }

  async function reloadDefinitions(by: string) {
    const read = await deps.readDefinitions();
    if (deps.owns?.(read) === false) {
      loaded = read;
      return { owner: false };
    }
    const operator: Operator = {
      by,
      note({ change, pipelineId, stage, before, after }) {
        logger.info({ audit: true, change, by, pipeline: pipelineId, stage, before, after }, 'audit');
      },
    };
    const limiters = await reloadLimiters(read.limiters, operator);
    const [created, changed, failed]: [string[], string[], Failed[]] = [[], [], []];
    let unchanged = 0;
    for (const each of read.definitions) {
      const { id } = each.definition;
      try {
        const outcome = await host.load(each.definition, { operator, isStart: false });
        if (outcome.is === 'created') created.push(id);
        else if (outcome.is === 'changed' || outcome.hasReplaced) changed.push(id);
        else unchanged++;
        warnOfOthers(each, outcome, logger);
      } catch (error) {
        failed.push({ name: id, source: each.source, reason: (error as Error).message });
      }
    }
    const gone = loaded.definitions
      .map(({ definition }) => definition.id)
      .filter((id) => !read.definitions.some((each) => each.definition.id === id));
    // A limiter that failed is compared with what is in force the next time, too.
    const kept = loaded.limiters.filter(({ name }) => limiters.failed.some((one) => one.name === name));
    loaded = { ...read, limiters: [...read.limiters.filter(({ name }) => !limiters.failed.some((one) => one.name === name)), ...kept] };
    const inForce = loaded.definitions.filter(({ definition }) => !failed.some(({ name }) => name === definition.id));
    await host.keepFiles(JSON.stringify(filesHash({ ...loaded, definitions: inForce })));
    const allFailed = [...limiters.failed, ...failed];
    if (allFailed.length > 0)
      wrong(
        'definitions',
        allFailed.map(({ name, source, reason }) => `${source}: ${name}: ${reason}`),
      );
    return { created, changed, unchanged, failed, gone, limiters };
  }

  async function reload(by: string): Promise<void> {
    const outcome = {
      keys: await part('keys', reloadKeys),
      secrets: await part('secrets', reloadSecrets),
      definitions: await part('definitions', () => reloadDefinitions(by)),
    };
    logger.info({ audit: true, change: 'reloaded', by, pipeline: null, stage: null, ...outcome }, 'reloaded');
  }

  return {
    ask(by) {
      if (running === null) {
        running = reload(by).finally(() => {
          running = null;
        });
        return running;
      }
      next ??= running.then(() => {
        next = null;
        return this.ask(by);
      });
      return next;
    },
  };
}
