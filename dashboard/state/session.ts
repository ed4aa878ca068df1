import { computed, signal } from '@preact/signals';

/** Who is asking, as `GET /whoami` tells it. */
export interface Session {
  name: string | null;
  scopes: readonly string[];
  pipelines: readonly string[] | null;
}

type Scope = 'read' | 'feed' | 'operate' | 'admin';

const STORED_AS = 'sluice-key';
const UNKNOWN = 'The service does not know this key, or it has expired.';

/** The key of this tab; it outlives a reload, and not the tab. */
const key = signal<string | null>(sessionStorage.getItem(STORED_AS));

/** Undefined until it is known; null: a key is needed. */
export const session = signal<Session | null | undefined>(undefined);
/** Why the last key was not taken. */
export const signInFault = signal<string | null>(null);

const granted = computed(() => new Set(session.value?.scopes ?? []));

/** Whether the key may do what needs this scope; `admin` may everything. */
export function may(scope: Scope): boolean {
  return granted.value.has(scope) || granted.value.has('admin');
}

export function authorization(): Record<string, string> {
  return bearer(key.value);
}

const bearer = (given: string | null): Record<string, string> => (given === null ? {} : { authorization: `Bearer ${given}` });

/** What tells tabs with different keys apart, without telling the key. There is no digest where there are no locks, and nothing to tell apart. */
export async function keyMark(): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key.value ?? ''));
  return [...new Uint8Array(digest)]
    .slice(0, 8)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** Asks who the key of this tab belongs to. Throws when the service cannot be reached. */
export async function openSession(): Promise<void> {
  const found = await ownerOf(key.value);
  if (found === null) forget(key.value === null ? null : UNKNOWN);
  else session.value = found;
}

/** Takes a key once the service has said that it knows it: until then nothing of it is kept. Throws when the service cannot be reached. */
export async function signIn(given: string): Promise<void> {
  const [odd] = given.match(/[^\x21-\x7e]/u) ?? [];
  if (odd !== undefined) {
    signInFault.value = `This is no key, for it holds “${odd}”: keys have ASCII letters, digits and signs, without spaces.`;
    return;
  }
  const found = await ownerOf(given);
  signInFault.value = found === null ? UNKNOWN : null;
  if (found === null) return;
  key.value = given;
  sessionStorage.setItem(STORED_AS, given);
  session.value = found;
}

/** Null when the service does not know the key, or asks for one. */
async function ownerOf(given: string | null): Promise<Session | null> {
  const response = await fetch('/whoami', { headers: bearer(given) });
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`the service answers ${response.status}`);
  return (await response.json()) as Session;
}

export function signOut(): void {
  forget(null);
}

function forget(why: string | null): void {
  sessionStorage.removeItem(STORED_AS);
  key.value = null;
  signInFault.value = why;
  session.value = null;
}

/** Called when a request is refused for want of a key that is in force. */
export function sessionLost(): void {
  if (session.value === null) return;
  forget('The key is no longer in force.');
}
