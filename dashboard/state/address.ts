import { computed, signal } from '@preact/signals';

/** Where one is: a view, what it is of, and its filters. */
export interface Address {
  view: ViewName;
  /** The pipeline, for a view of one. */
  id: string;
  /** An item or a feed, for a view of one. */
  part: string;
  query: URLSearchParams;
}

const OF_PIPELINE = ['flow', 'feeds', 'failures', 'items', 'control', 'definition', 'changes'] as const;
export type PipelineView = (typeof OF_PIPELINE)[number];
export type ViewName = 'overview' | 'nodes' | 'feed' | 'item' | 'unknown' | PipelineView;

/** Reads an address behind the `#`. Behind it, because the paths of the service are those of its API. */
export function addressOf(hash: string): Address {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?');
  const query = new URLSearchParams(search);
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decoded);
  return { ...viewOf(parts), query };
}

function viewOf([first, id = '', view = 'flow', part = '']: string[]): Omit<Address, 'query'> {
  if (first === undefined) return { view: 'overview', id: '', part: '' };
  if (first === 'nodes' && id === '') return { view: 'nodes', id: '', part: '' };
  if (first !== 'pipelines' || id === '') return { view: 'unknown', id: '', part: '' };
  if (view === 'feeds' && part !== '') return { view: 'feed', id, part };
  if (view === 'items' && part !== '') return { view: 'item', id, part };
  const known = OF_PIPELINE.find((name) => name === view);
  return known === undefined || part !== '' ? { view: 'unknown', id, part: '' } : { view: known, id, part: '' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign, typed by hand: it stands for itself.
    return text;
  }
}

const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
});

export const address = computed(() => addressOf(hash.value));

/** The link to a view of a pipeline. */
export function linkTo(id: string, view: PipelineView = 'flow', part = '', query: Record<string, string | undefined> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') params.set(name, value);
  const search = params.size > 0 ? `?${params}` : '';
  const base = `#/pipelines/${encodeURIComponent(id)}`;
  const rest = view === 'flow' ? '' : `/${view}${part === '' ? '' : `/${encodeURIComponent(part)}`}`;
  return base + rest + search;
}

export function goTo(link: string): void {
  location.hash = link;
}

/** Changes filters of a view without a step in the history for each letter that is typed. Who has gone elsewhere since stays there. */
export function replaceQuery(view: PipelineView, change: Record<string, string>): void {
  const { id, view: present, query } = address.value;
  if (present !== view || location.hash !== hash.value) return;
  history.replaceState(null, '', linkTo(id, view, '', { ...Object.fromEntries(query), ...change }));
  hash.value = location.hash;
}
