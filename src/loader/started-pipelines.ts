import { ConfigError } from '../config.ts';
import { type LoadedPipeline, type LocalHost, SluiceError } from '../engine/index.ts';
import type { Logger } from '../engine/ports.ts';
import type { Loaded, LoadedDefinition } from './definitions.ts';
import { filesDifference, filesHash } from './files-hash.ts';

/** Everything that is wrong with the definitions of a start. */
class Faults {
  private readonly found: string[] = [];

  /** Tries something; what it throws counts as a fault of `source`, unless nobody's definition is to blame. `place`: where what a pointer names stands. */
  async in(source: string, attempt: () => unknown, place = (_pointer: string): string => source): Promise<void> {
    try {
      await attempt();
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code === 'shutting-down') throw error;
      const { errors = [{ path: '', message: error.message }] } = error;
      this.found.push(...errors.map(({ path, message }) => `${place(path)}: ${path === '' ? '' : `${path} `}${message}`));
    }
  }

  /** Throws {@link ConfigError} when there are any. */
  expectNone(): void {
    if (this.found.length > 0) throw new ConfigError('The pipeline definitions cannot be used', this.found);
  }
}

/**
 * Defines the limiters of a start, and tries its definitions without making anything of them, so that all faults are listed at once, and a start with
 * one touches no store. Throws {@link ConfigError}.
 */
export async function checkPipelines(host: LocalHost, { definitions, limiters }: Loaded): Promise<void> {
  const limits = new Faults();
  for (const { name, settings, source } of limiters) await limits.in(source, () => host.limiters.define(name, settings));
  limits.expectNone();
  const faults = new Faults();
  for (const { definition, source, place } of definitions) await faults.in(source, () => host.check(definition), place);
  faults.expectNone();
}

/**
 * Restores the pipelines of the store and gives them the definitions of the files. None of them runs yet. One that was defined over the API and whose
 * definition can no longer be used keeps nobody from starting. Throws {@link ConfigError}.
 */
export async function startPipelines(host: LocalHost, loaded: Loaded, logger: Logger): Promise<void> {
  await restorePipelines(host, loaded.definitions);
  await loadPipelines(host, loaded, logger);
}

/** Restores the pipelines of the store, some of which get other definitions afterwards. Throws {@link ConfigError}. */
export async function restorePipelines(host: LocalHost, replaced: readonly LoadedDefinition[]): Promise<void> {
  const stored = new Faults();
  await stored.in('the store', () => host.recover(new Set(replaced.map(({ definition }) => definition.id))));
  stored.expectNone();
}

/** Gives the definitions of the files to a host that is restored, and keeps which they were. Throws {@link ConfigError}. */
export async function loadPipelines(host: LocalHost, loaded: Loaded, logger: Logger): Promise<void> {
  const faults = new Faults();
  for (const { definition, source } of loaded.definitions) {
    await faults.in(source, async () => {
      const { is, ...outcome } = await host.load(definition);
      logger.info({ pipeline: definition.id, source, is }, 'pipeline started');
      warnOfOthers({ definition, source }, outcome, logger);
    });
  }
  faults.expectNone();
  await faults.in('the workers', () => host.expectRoom());
  faults.expectNone();
  const files = filesHash(loaded);
  const difference = filesDifference(files, host.filesLoaded);
  if (difference !== null) logger.info(difference, 'the files define other pipelines than those that the store was loaded from last');
  await host.keepFiles(JSON.stringify(files));
}

/** Says where a file and the API disagree: which of the two holds, and that the other does not. */
export function warnOfOthers(
  { definition, source }: Pick<LoadedDefinition, 'definition' | 'source'>,
  { pipeline, hasReplaced }: Pick<LoadedPipeline, 'pipeline' | 'hasReplaced'>,
  logger: Logger,
): void {
  const fields = { pipeline: definition.id, source };
  if (pipeline.fileDiffers) {
    logger.warn(fields, 'the pipeline was changed over the API since its file was last loaded; the change holds until the file is changed');
  }
  if (hasReplaced) logger.warn(fields, 'the definition of the file has taken the place of one that was made over the API');
}
