import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Loads a file of a checkout of Sluice, this one or, with `root`, another that is compared with it. */
export function load<M>(path: string, root?: string): Promise<M> {
  const folder = root === undefined ? new URL('../../', import.meta.url) : pathToFileURL(`${resolve(root)}/`);
  return import(new URL(path, folder).href) as Promise<M>;
}
