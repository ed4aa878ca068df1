/** Loaded into a service ahead of its code: it then serves the page in `TEST_PAGE_FOLDER`, and needs no build in `dist`. */
import { registerHooks } from 'node:module';

const STAND_IN = new URL('./page-in-folder.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const isIt = specifier === './http/page/built-page.ts' && context.parentURL?.endsWith('/src/server.ts') === true;
    return next(isIt ? STAND_IN : specifier, context);
  },
});
