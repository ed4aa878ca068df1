import { ConnectionState } from './parts/connection-state.tsx';
import { address } from './state/address.ts';
import { session, signOut } from './state/session.ts';
import { type Theme, theme } from './state/theme.ts';
import { ViewOf } from './views/index.tsx';

const THEMES: Record<Theme, [next: Theme, label: string]> = {
  system: ['light', 'Theme: as the system'],
  light: ['dark', 'Theme: light'],
  dark: ['system', 'Theme: dark'],
};

/** What surrounds every view. */
export function Shell() {
  const { view } = address.value;
  const [next, label] = THEMES[theme.value];
  const name = session.value?.name ?? null;
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('content')?.focus()}>
        Skip to content
      </button>
      <header class="top">
        <a class="brand" href="#/">
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
            <path d="M4 22c4 0 4-3 8-3s4 3 8 3 4-3 8-3M9 5v8M16 5v8M23 5v8" />
          </svg>
          Sluice
        </a>
        <nav aria-label="Service">
          <a href="#/" aria-current={view === 'overview' ? 'page' : undefined}>
            Pipelines
          </a>
          <a href="#/nodes" aria-current={view === 'nodes' ? 'page' : undefined}>
            Nodes
          </a>
          <a class="wide" href="/docs">
            API
          </a>
        </nav>
        <ConnectionState />
        <button
          type="button"
          class="quiet icon"
          title={label}
          aria-label={label}
          onClick={() => {
            theme.value = next;
          }}
        >
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <circle cx="8" cy="8" r="6" />
            <path class="half" d="M8 2a6 6 0 0 1 0 12z" />
          </svg>
        </button>
        {name !== null && (
          <button type="button" class="quiet" onClick={signOut} title={`Signed in as ${name}`}>
            Sign out
          </button>
        )}
      </header>
      <main id="content" tabIndex={-1}>
        <ViewOf address={address.value} />
      </main>
    </>
  );
}
