import { registerHooks } from 'node:module';
import { extname } from 'node:path';

const ENTRY = new URL(`../task${extname(import.meta.url)}`, import.meta.url).href;
let isOffered = false;

/**
 * From now on `sluice/task` is the one of this service to every file that this thread loads. A folder of tasks may be anywhere, without packages of
 * its own, and whatever version it has installed for its editor, there is one service that runs it.
 */
export function offerTaskEntry(): void {
  if (isOffered) return;
  isOffered = true;
  registerHooks({
    resolve: (specifier, context, next) => (specifier === 'sluice/task' ? { url: ENTRY, shortCircuit: true } : next(specifier, context)),
  });
}
