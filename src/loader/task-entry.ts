import { type LoadFnOutput, type LoadHookContext, registerHooks, stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';
import { compileFunction } from 'node:vm';

const ENTRY = new URL(`../task${extname(import.meta.url)}`, import.meta.url).href;
const COMMONJS_NAMES = ['exports', 'require', 'module', '__filename', '__dirname'];
let isOffered = false;
/** Addresses of folders, with a slash at their end. */
const folders = new Set<string>();

/**
 * From now on `sluice/task` is the one of this service to every file that this thread loads. A folder of tasks may be anywhere, without packages of
 * its own, and whatever version it has installed for its editor, there is one service that runs it.
 */
export function offerTaskEntry(): void {
  if (isOffered) return;
  isOffered = true;
  registerHooks({
    resolve: (specifier, context, next) => (specifier === 'sluice/task' ? { url: ENTRY, shortCircuit: true } : next(specifier, context)),
    load: loadTask,
  });
}

/**
 * From now on a file of that folder is a module when it is written as one, whatever the `type` of its package.json says: `npm init` writes `commonjs`.
 * `folder`: a `file:` address.
 */
export function readModulesOf(folder: string): void {
  folders.add(folder.endsWith('/') ? folder : `${folder}/`);
}

/** The default export of a module; of CommonJS that was made from a module, the one that it was. */
export function defaultOf(namespace: { default?: unknown }): unknown {
  const exported = namespace.default as { __esModule?: unknown; default?: unknown } | null | undefined;
  return typeof exported === 'object' && exported?.__esModule === true && 'default' in exported ? exported.default : exported;
}

function loadTask(
  url: string,
  context: LoadHookContext,
  next: (url: string, context?: Partial<LoadHookContext>) => LoadFnOutput,
): LoadFnOutput {
  const loaded = next(url, context);
  const isTyped = loaded.format === 'commonjs-typescript';
  if ((loaded.format !== 'commonjs' && !isTyped) || !isOfTasks(url) || loaded.source == null) return loaded;
  const text = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source as Uint8Array);
  return isWrittenAsModule(text, isTyped) ? { ...loaded, format: isTyped ? 'module-typescript' : 'module' } : loaded;
}

function isOfTasks(url: string): boolean {
  if (url.includes('/node_modules/') || !/[.][jt]s(?:[?#]|$)/.test(url)) return false;
  for (const folder of folders) if (url.startsWith(folder)) return true;
  return false;
}

/** Whether a text is none of CommonJS because of what only modules have. */
function isWrittenAsModule(text: string, isTyped: boolean): boolean {
  if (!/\b(?:import|export|await)\b/.test(text)) return false;
  try {
    compileFunction(isTyped ? stripTypeScriptTypes(text) : text, COMMONJS_NAMES);
    return false;
  } catch (error) {
    return /\b(?:import|export|await)\b|top-level/.test((error as Error).message) || /^\s*(?:import|export)\b/m.test(text);
  }
}
