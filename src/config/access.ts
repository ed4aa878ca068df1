/** The keys that admit callers, and whether the address needs any. */
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { type ApiKey, parseApiKeys } from '../schemas/api-key.ts';
import type { Environment } from './environment.ts';
import { shownText } from './shown.ts';

/** Reads the keys and checks them, and that an address beyond loopback has some. Faults never show the text of a key. */
export function readAccess(given: Environment): { keys: ApiKey[]; faults: string[] } {
  const keys: ApiKey[] = [];
  const faults: string[] = [];
  const texts = [
    ['API_KEYS', () => given.API_KEYS ?? ''],
    ['API_KEYS_FILE', () => (given.API_KEYS_FILE === undefined ? '' : readFileSync(given.API_KEYS_FILE, 'utf8'))],
  ] as const;
  for (const [name, read] of texts) {
    try {
      const parsed = parseApiKeys(read());
      keys.push(...parsed.keys);
      faults.push(...parsed.faults.map((fault) => `${name} ${fault}`));
      // An operator who sets the variable expects protection.
      if (given[name] !== undefined && parsed.keys.length + parsed.faults.length === 0) faults.push(`${name} contains no key`);
    } catch (error) {
      faults.push(`${name} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    }
  }
  const host = given.HOST ?? '127.0.0.1';
  const isGuarded = given.API_KEYS !== undefined || given.API_KEYS_FILE !== undefined;
  if (!isGuarded && !isLoopback(host) && !['true', '1'].includes(given.ALLOW_UNAUTHENTICATED ?? '')) {
    faults.push(
      `HOST "${shownText(host)}" is reachable from other machines and callers are not authenticated; use 127.0.0.1, set API_KEYS, or set ALLOW_UNAUTHENTICATED=true`,
    );
  }
  return { keys, faults };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** A name that isn't `localhost` may resolve to any address, so it doesn't count as loopback. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? host.toLowerCase() === 'localhost' : loopback.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
