import { CommandEnd, EXIT } from './exit-codes.ts';

/** Makes a `ConfigError` a wrong use of the command: a path, a variable or a task file. Known by its name, since loading its class takes long. */
export async function orUsage<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    throw error instanceof Error && error.name === 'ConfigError' ? new CommandEnd(EXIT.usage, error.message) : error;
  }
}
