import { computed, signal } from '@preact/signals';

/** Who is asking, as `GET /whoami` tells it. */
export interface Session {
  name: string | null;
  scopes: readonly string[];
  pipelines: readonly string[] | null;
}

type Scope = 'read' | 'feed' | 'operate' | 'admin';

const STORED_AS = 'sluice-key';

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
  return key.value === null ? {} : { authorization: `Bearer ${key.value}` };
}

/** What tells tabs with different keys apart, without telling the key. */
export async function keyMark(): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key.value ?? ''));
  return [...new Uint8Array(digest)]
    .slice(0, 8)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** Asks who the key belongs to. Throws when the service cannot be reached. */
export async function openSession(): Promise<void> {
  const response = await fetch('/whoami', { headers: authorization() });
  if (response.status === 401) {
    signInFault.value = key.value === null ? null : 'The service does not know this key, or it has expired.';
    sessionStorage.removeItem(STORED_AS);
    key.value = null;
    session.value = null;
    return;
  }
  if (!response.ok) throw new Error(`the service answers ${response.status}`);
  session.value = (await response.json()) as Session;
  signInFault.value = null;
}

export async function signIn(given: string): Promise<void> {
  key.value = given;
  sessionStorage.setItem(STORED_AS, given);
  await openSession();
}

export function signOut(): void {
  sessionStorage.removeItem(STORED_AS);
  key.value = null;
  signInFault.value = null;
  session.value = null;
}

/** Called when a request is refused for want of a key that is in force. */
export function sessionLost(): void {
  if (session.value === null) return;
  signOut();
  signInFault.value = 'The key is no longer in force.';
}
