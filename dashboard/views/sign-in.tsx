import { useSignal } from '@preact/signals';
import { signIn, signInFault } from '../state/session.ts';

/** Asks for a key, which stays in this tab. */
export function SignIn() {
  const typed = useSignal('');
  const fault = useSignal<string | null>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      fault.value = null;
      await signIn(typed.value.trim());
    } catch (error) {
      fault.value = `The service cannot be reached: ${error instanceof Error ? error.message : error}.`;
    }
  };
  const told = fault.value ?? signInFault.value;
  return (
    <main class="sign-in">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <h1>Sluice</h1>
        <p class="muted">This service asks for a key. It stays in this tab, and goes with it.</p>
        <label for="key">Key</label>
        <input
          id="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          placeholder="slc_name_secret"
          value={typed}
          onInput={(event) => {
            typed.value = event.currentTarget.value;
          }}
        />
        {told !== null && (
          <p class="fault" role="alert">
            {told}
          </p>
        )}
        <button class="primary" type="submit" disabled={typed.value.trim() === ''}>
          Sign in
        </button>
        <p class="muted small">
          <code>npm run keygen -- NAME read+operate</code> makes one.
        </p>
      </form>
    </main>
  );
}
