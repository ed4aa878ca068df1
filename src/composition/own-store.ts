import { type Config, ConfigError, storeFileOf } from '../config.ts';
import type { Logger } from '../engine/ports.ts';
import { systemClock } from '../engine/ports.ts';
import type { Store } from '../engine/store.ts';
import { StoreOpening } from '../process/store-opening.ts';

export interface OwnStoreDeps {
  config: Pick<Config, 'storeUrl'>;
  logger: Logger;
  /** Told why the store cannot be opened now, and null when it is open. */
  tell: (trouble: string | null) => void;
}

/** The store of a service that is no cluster; null when it keeps nothing. */
export async function ownStore({
  config,
  logger,
  tell,
}: OwnStoreDeps): Promise<{ opening: StoreOpening<Store>; blamePath: string } | null> {
  const file = storeFileOf(config.storeUrl);
  if (file === undefined) {
    logger.warn({ storeUrl: config.storeUrl }, 'items are kept in memory and end with the process');
    return null;
  }
  // Its native part is loaded only where it is used.
  const { blamePathOf, openSqliteStore, StoreFileError } = await import('../stores/sqlite/index.ts');
  const open = async (): Promise<Store> => {
    try {
      return await openSqliteStore({ file });
    } catch (error) {
      throw error instanceof StoreFileError ? new ConfigError('The store cannot be used', [error.message]) : error;
    }
  };
  return { opening: new StoreOpening({ open, clock: systemClock, logger, tell }), blamePath: blamePathOf(file) };
}
