/** Secrets for templates in definitions: variables `SECRET_NAME` and the files in `SECRETS_DIR`. Faults never show a value. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from './environment.ts';

const SECRET_PREFIX = 'SECRET_';
/** Masking a shorter secret would also hit unrelated texts. */
export const SECRET_LENGTH_MIN = 4;

/** The secrets in an environment, by NAME, including ones that are too short, which are a fault. */
export function secretsIn(given: Environment): Record<string, string> {
  const secrets = Object.entries(given).filter(([name]) => name.startsWith(SECRET_PREFIX) && name.length > SECRET_PREFIX.length);
  return Object.fromEntries(secrets.map(([name, value]) => [name.slice(SECRET_PREFIX.length), value as string]));
}

/** Reads `SECRETS_DIR`. Files that begin with a dot, and folders, are left alone. Faults never show a value. */
export function readSecretsDir(given: Environment): { secrets: Record<string, string>; faults: string[] } {
  const secrets: Record<string, string> = {};
  const faults: string[] = [];
  const folder = given.SECRETS_DIR;
  if (folder === undefined || folder === '') return { secrets, faults };
  try {
    for (const name of readdirSync(folder).sort()) {
      const file = join(folder, name);
      if (name.startsWith('.') || !statSync(file).isFile()) continue;
      const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      if (!/^[A-Za-z_]\w*$/.test(name)) faults.push(`SECRETS_DIR has a file ${JSON.stringify(name)}, a name that templates cannot use`);
      else if (value.length < SECRET_LENGTH_MIN)
        faults.push(`SECRETS_DIR has a secret ${name} of fewer than ${SECRET_LENGTH_MIN} characters`);
      else if (given[SECRET_PREFIX + name]) faults.push(`SECRETS_DIR has a secret ${name}, and ${SECRET_PREFIX}${name} is set as well`);
      else secrets[name] = value;
    }
  } catch (error) {
    faults.push(`SECRETS_DIR cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  }
  return { secrets, faults };
}

/** The faults of the variables among them. */
export function secretFaults(given: Environment): string[] {
  return Object.entries(secretsIn(given)).flatMap(([name, value]) => [
    ...(/^[A-Za-z_]\w*$/.test(name) ? [] : [`${SECRET_PREFIX}${name} has a name that templates cannot use; use letters, digits and _`]),
    ...(value.length < SECRET_LENGTH_MIN ? [`${SECRET_PREFIX}${name} is shorter than ${SECRET_LENGTH_MIN} characters`] : []),
  ]);
}
