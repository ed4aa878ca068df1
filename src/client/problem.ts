import type { components } from './api-types.ts';

/** A problem document (RFC 9457) as the service sends it. */
export type Problem = components['schemas']['Problem'];

/** The service refused a request, or something on the way did. Decide by `code`; `fix` says in a sentence what can be done. */
export class SluiceProblem extends Error {
  override readonly name = 'SluiceProblem';
  readonly status: number;
  readonly code: string;
  readonly fix: string;
  readonly detail: string;
  /** Every fault of an invalid request, as JSON pointer and message; otherwise empty. */
  readonly errors: readonly { path: string; message: string }[];
  /** The whole document. */
  readonly problem: Problem;
  /** The wait that the answer asked for in `Retry-After`, or null. */
  readonly retryAfterSeconds: number | null;

  constructor(problem: Problem, retryAfterSeconds: number | null = null) {
    super(problem.detail === '' ? problem.title : problem.detail);
    const { status, code, fix, detail, errors = [] } = problem;
    this.status = status;
    this.code = code;
    this.fix = fix;
    this.detail = detail;
    this.errors = errors;
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** No answer came: the service cannot be reached, the connection broke, or it has been silent for too long. `cause` is what `fetch` threw. */
export class SluiceUnreachable extends Error {
  override readonly name = 'SluiceUnreachable';
}

/** The problem that an answer is. */
export async function problemOf(response: Response): Promise<SluiceProblem> {
  const text = await response.text();
  try {
    return toProblem(response, JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return toProblem(response, text);
  }
}

interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/** The data of an answer of `api`; throws its problem: `const stats = await dataOf(api.GET('/pipelines/{id}/stats', …))`. */
export async function dataOf<A extends Answer>(answer: A | Promise<A>): Promise<Exclude<A['data'], undefined>> {
  const { data, error, response } = await answer;
  if (!response.ok) throw toProblem(response, error);
  return data as Exclude<A['data'], undefined>;
}

/** An answer that is no problem document comes from something in between, such as a proxy: its `code` is `http-<status>`. */
function toProblem(response: Response, body: unknown): SluiceProblem {
  const isProblem = typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string';
  const problem = isProblem ? (body as Problem) : foreignProblem(response, typeof body === 'string' ? body : JSON.stringify(body));
  return new SluiceProblem(problem, secondsOf(response.headers.get('retry-after')));
}

function foreignProblem({ status, statusText, url }: Response, text = ''): Problem {
  const title = `HTTP ${status} ${statusText}`.trim();
  return {
    type: 'about:blank',
    title,
    status,
    detail: [title, text.slice(0, 200)].filter((part) => part !== '').join(': '),
    instance: url,
    code: `http-${status}`,
    fix: 'This answer is not of Sluice: check the address, and what is between.',
  };
}

/** `Retry-After` is a number of seconds or a date (RFC 9110 section 10.2.3). */
function secondsOf(header: string | null): number | null {
  if (header === null) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

/** Statuses after which the same request can be sent again: time-out, too much, a node that was lost, not ready. */
const PASSING = new Set([408, 425, 429, 502, 503, 504]);

/** Whether an error may be gone at another attempt. */
export function isPassing(error: unknown): error is SluiceProblem | SluiceUnreachable {
  return error instanceof SluiceUnreachable || (error instanceof SluiceProblem && PASSING.has(error.status));
}
