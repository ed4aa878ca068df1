/** `STORE_URL`: which stores there are, and what is wrong with the address of one. */
import { isPostgres } from './cluster.ts';

/** Only the scheme is shown: the rest of a store's address can hold a password. */
export function storeFaults(url = 'memory:'): string[] {
  if (url === 'memory:') return [];
  if (url !== url.trim()) return ['STORE_URL must not begin or end with white space'];
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return ['STORE_URL must be a URL, such as file:./data/sluice.db'];
  if (scheme === 'memory') return ['STORE_URL must be memory: and nothing after it'];
  if (scheme === 'file') {
    const path = storeFileOf(url);
    if (path !== path?.trim()) return ['STORE_URL must not have white space before or after the path'];
    return path === undefined || path === '' || /[\0?#]/.test(path)
      ? ['STORE_URL must be file: and a path, such as file:./data/sluice.db']
      : [];
  }
  if (isPostgres(url))
    return URL.canParse(url) ? [] : ['STORE_URL must be the address of a database, such as postgres://user:password@host/database'];
  return [`STORE_URL ${scheme}: is not a store; use file:, postgres: or memory:`];
}

/** The path of a store that is a file: `file:./a.db`, `file:/a.db` and `file:///a.db` name one; undefined for other stores. */
export function storeFileOf(url: string): string | undefined {
  const path = /^file:(?<path>.*)$/is.exec(url)?.groups?.path;
  if (path === undefined || !path.startsWith('//')) return path;
  return path.startsWith('///') ? path.slice(2) : undefined;
}
