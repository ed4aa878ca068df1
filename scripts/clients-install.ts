import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = 'tools/clients';

/** Installs the packages of tools/clients, unless the folder was installed from its lock file as it is. */
export function installClients(): void {
  // npm deletes it with the rest when it begins again.
  const installed = join(FOLDER, 'node_modules/.installed-lock.json');
  const wanted = readFileSync(join(FOLDER, 'package-lock.json'), 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return;
  execFileSync('npm', ['ci', '--loglevel=error'], { cwd: FOLDER, stdio: 'inherit' });
  writeFileSync(installed, wanted);
}
