import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

function isCurrent(path: string, text: string): boolean {
  try {
    return readFileSync(path, 'utf8') === text;
  } catch {
    return false;
  }
}

/** Writes files that only repeat what the code says; with `--check` it writes nothing, and fails when one is not as it would be written. */
export function writeOrCheck(files: Readonly<Record<string, string>>, command: string): void {
  for (const [path, text] of Object.entries(files)) {
    if (isCurrent(path, text)) continue;
    if (process.argv.includes('--check')) {
      console.error(`${path} is not what the code says; run "npm run ${command}" and look at the difference.`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      console.log(`${path} written`);
    }
  }
}
