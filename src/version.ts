import { readFileSync } from 'node:fs';

/** From package.json, which stands one folder above src, or two above dist/src. */
function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // Not at this depth.
    }
  }
  return '0.0.0';
}

export const VERSION = readVersion();
