/** What {@link ./page-folder.mjs} gives to a service in place of the module of the page: the same with another folder. */
export { readBuiltPage } from '../../src/http/page/built-page.ts';

export const PAGE_FOLDER: string = process.env.TEST_PAGE_FOLDER as string;
