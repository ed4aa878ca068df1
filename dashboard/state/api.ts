import { authorization, sessionLost } from './session.ts';

/** A problem document (RFC 9457), as the service answers what it refuses. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly fix: string | null;
  readonly errors: readonly { path: string; message: string }[];

  constructor(
    status: number,
    body: { code?: string; detail?: string; title?: string; fix?: string; errors?: { path: string; message: string }[] },
  ) {
    super(body.detail ?? body.title ?? `the service answers ${status}`);
    this.status = status;
    this.code = body.code ?? 'unknown';
    this.fix = body.fix ?? null;
    this.errors = body.errors ?? [];
  }
}

export interface Sent {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  query?: Record<string, string | number | boolean | readonly string[] | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, with its type. */
  text?: string;
  type?: string;
  accept?: string;
  signal?: AbortSignal;
}

/** A path of the API: the parts are encoded, so that an item id may be a URL. */
export function path(strings: TemplateStringsArray, ...parts: string[]): string {
  return strings.map((text, i) => text + (i < parts.length ? encodeURIComponent(parts[i] as string) : '')).join('');
}

export function withQuery(url: string, query: Sent['query'] = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value]) params.append(name, String(one));
  }
  const text = params.toString();
  return text === '' ? url : `${url}?${text}`;
}

/** Sends a request and returns its response. Throws {@link ApiProblem} for what is refused. */
export async function send(url: string, { method = 'GET', query, body, text, type, accept, signal }: Sent = {}): Promise<Response> {
  const sent = body === undefined ? text : JSON.stringify(body);
  const response = await fetch(withQuery(url, query), {
    method,
    headers: {
      ...authorization(),
      accept: accept ?? 'application/json',
      ...(sent === undefined ? {} : { 'content-type': type ?? 'application/json' }),
    },
    ...(sent === undefined ? {} : { body: sent }),
    ...(signal && { signal }),
  });
  if (response.ok) return response;
  if (response.status === 401) sessionLost();
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
  throw new ApiProblem(response.status, isProblem ? await response.json() : {});
}

/** Sends a request and reads its answer as JSON. */
export async function ask<T>(url: string, sent: Sent = {}): Promise<T> {
  const response = await send(url, sent);
  return (response.status === 204 ? undefined : await response.json()) as T;
}
