import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SluiceError } from '../../engine/index.ts';
import type { ErrorCode } from '../../schemas/problem.ts';
import { PROBLEM_TYPE, toProblem, writeProblem } from '../problems/problem.ts';
import { noteRefusal, type Refusals } from '../problems/refusals.ts';
import { SECURITY_HEADERS } from '../problems/response-headers.ts';
import type { OpenRequests } from './open-requests.ts';
import { newRequestId } from './request-identity.ts';

const CODE_OF_NODE: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body-too-large',
};

// Not imported: to name all that the module exports, Node would load its WebSocket, and with it its whole client of HTTP, at every start.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

export interface ClientErrorDeps {
  refusals: Refusals;
  requests: OpenRequests;
}

/**
 * Answers what Node's parser could not read as a request, so that this too is a problem document. The connection ends with it.
 * There is no request object, hence the hand-written head.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, { refusals, requests }: ClientErrorDeps): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse | null };
  const last = requests.of(socket);
  // What breaks off or is wrong in the rest of a body whose request was answered early is no request, and there is nobody to answer.
  if (!answer && last?.raw.complete === false) {
    if (socket.writable) socket.destroySoon();
    else socket.destroy();
    return;
  }
  const code = CODE_OF_NODE[error.code ?? ''] ?? 'bad-request';
  const id = newRequestId();
  const request = answer ? last : undefined;
  // What is wrong with the rest of a request is that request's refusal, and its reader may find it wrong as well.
  if (request !== undefined && request.raw === answer?.req) noteRefusal(request, code);
  else refusals.note({ key: null, method: null, route: null, path: null, code, requestId: id, remoteAddress: socket.remoteAddress });
  // Into an answer that has begun nothing else can be written.
  const begun = answer?.headersSent === true;
  if (!socket.writable || begun) {
    socket.destroy();
    return;
  }
  const problem = toProblem(new SluiceError(code), '', id);
  const body = writeProblem(problem);
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      'Connection: close',
      `Content-Type: ${PROBLEM_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${id}`,
      ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
      '',
      // The answer to HEAD has a length and no body.
      answer?.req.method === 'HEAD' ? '' : body,
    ].join('\r\n'),
  );
  // A client that leaves its side open does not keep the connection, nor does the answer that it was still waiting for.
  socket.destroySoon();
}
