/**
 * The built-in tasks, predicates and hooks, one a file, the file named as the task. This list is the whole registration: a file that isn't in it doesn't exist.
 * Shared parts are in kit/.
 *
 * A task here knows its value, its parameters and its context; it doesn't know HTTP, stores or pipelines. It reaches outside the process only where its
 * options let it.
 */
import type { TaskDeclaration } from '../src/engine/index.ts';
import { fileAppend } from './file_append.ts';
import { hash } from './hash.ts';
import { httpNotify } from './http_notify.ts';
import { httpRequest } from './http_request.ts';
import { jsonSchema } from './json_schema.ts';
import { jsonata } from './jsonata.ts';
import { jsonataTrue } from './jsonata_true.ts';
import { createHttpClient, type HttpClient } from './kit/http-client.ts';
import { logFailure } from './log_failure.ts';
import { logSkip } from './log_skip.ts';
import { logSuccess } from './log_success.ts';
import { sleep } from './sleep.ts';

export { jsonataLanguage as expressionLanguage } from './kit/expression.ts';
export type { HttpClient } from './kit/http-client.ts';
export type { HttpRequest, HttpResponse } from './kit/http-message.ts';
export { HttpTimeoutError } from './kit/http-trouble.ts';

export interface BuiltInOptions {
  /** The only folder that `file_append` writes to. */
  outputDir: string;
  /** Hosts, addresses and ranges that are not public and that `http_request` and `http_notify` may reach all the same. */
  httpAllowHosts: readonly string[];
  /** Takes the secrets out of a text that is shown. */
  maskSecrets?: (text: string) => string;
  /** Whether somebody else adds the place in a trace to each request that goes out, as an instrumentation of undici does; nobody by default. */
  isInstrumented?: () => boolean;
  /** Sends the requests in place of one that reaches the network. */
  httpClient?: HttpClient;
}

export function builtInTasks(options: BuiltInOptions): TaskDeclaration[] {
  const httpClient =
    options.httpClient ??
    createHttpClient({
      allowHosts: options.httpAllowHosts,
      mask: options.maskSecrets,
      isInstrumented: options.isInstrumented,
    });
  return [
    fileAppend(options),
    hash,
    httpRequest(httpClient, options.maskSecrets),
    jsonSchema,
    jsonata,
    sleep,
    jsonataTrue,
    httpNotify(httpClient, options.maskSecrets),
    logSuccess,
    logFailure,
    logSkip,
  ];
}
