import { readFileSync } from 'node:fs';
import type { DeclaredAccess } from '../../src/http/guards/auth.ts';
import { code, table } from './markdown.ts';

const BEGIN = '<!-- Made by `npm run docs` from what the routes declare. Edit those, not this table. -->';
const END = '<!-- The end of what is made. -->';

const COLUMNS = ['no key', '`read`', '`feed`', '`operate`', '`admin`', '`admin`, for this pipeline only', '`admin`, for another only'];

/** The page is written by hand but for the table of routes. */
export function securityPage(routes: readonly DeclaredAccess[]): string {
  const page = readFileSync('docs/security.md', 'utf8');
  const [before, rest] = page.split(BEGIN);
  const [, after] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined) throw new Error('docs/security.md has lost the marks of its table');
  const isListed = ({ method, url }: DeclaredAccess): boolean =>
    method !== 'HEAD' || !routes.some((other) => other.url === url && other.method === 'GET');
  const rows = routes.filter(isListed).map((route) => [code(`${route.method} ${route.url}`), ...cellsOf(route)]);
  return `${before}${BEGIN}\n\n${table(['route', ...COLUMNS], rows)}\n\n${END}${after}`;
}

function cellsOf(route: DeclaredAccess): string[] {
  const { scope, own } = route;
  if (route.upgrades === true) return cellsOf({ ...route, upgrades: false }).map((cell) => (cell === 'yes' ? '426' : cell));
  if (scope === 'public') return COLUMNS.map(() => 'yes');
  if (scope === 'any') return ['401', ...COLUMNS.slice(1).map(() => 'yes')];
  const ofOwn = own === 'feeds' ? 'own only' : 'own, else 404';
  const byScope = (name: string): string => (name === scope ? 'yes' : name === 'feed' && own !== undefined ? ofOwn : '403');
  return ['401', byScope('read'), byScope('feed'), byScope('operate'), 'yes', ...limitedCells(route)];
}

function limitedCells({ url, limited }: DeclaredAccess): [ofThis: string, ofAnother: string] {
  if (url.includes(':id')) return ['yes', '404'];
  switch (limited) {
    case 'all':
      return ['yes', 'yes'];
    case 'filtered':
      return ['its own only', 'its own only'];
    case 'named':
      return ['yes', '403'];
    default:
      return ['403', '403'];
  }
}
