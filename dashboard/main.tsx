import { render } from 'preact';
import { startLive } from './state/live.ts';
import { openSession, session } from './state/session.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/views.css';
import { signal } from '@preact/signals';
import { Shell } from './shell.tsx';
import { startTheme } from './state/theme.ts';
import { SignIn } from './views/sign-in.tsx';
import { Unreachable } from './views/unreachable.tsx';

const fault = signal<string | null>(null);

function Page() {
  if (session.value === undefined) return fault.value === null ? null : <Unreachable why={fault.value} again={() => void open()} />;
  return session.value === null ? <SignIn /> : <Shell />;
}

async function open(): Promise<void> {
  try {
    await openSession();
    fault.value = null;
  } catch (error) {
    fault.value = error instanceof Error ? error.message : String(error);
  }
}

startTheme();
render(<Page />, document.getElementById('page') as HTMLElement);
startLive();
void open();
