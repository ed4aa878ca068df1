import { STATUS_OF } from '../../src/http/problems/status.ts';
import { ERROR_CODES, type ErrorCode } from '../../src/schemas/problem.ts';
import { code, codeBlock, page, table } from './markdown.ts';

const example = {
  type: 'urn:sluice:problem:invalid-pipeline',
  title: ERROR_CODES['invalid-pipeline'].title,
  status: STATUS_OF['invalid-pipeline'],
  detail: ERROR_CODES['invalid-pipeline'].example.detail,
  instance: '/pipelines',
  code: 'invalid-pipeline',
  fix: ERROR_CODES['invalid-pipeline'].fix,
  errors: ERROR_CODES['invalid-pipeline'].example.errors,
};

export function errorsPage(): string {
  const codes = (Object.keys(ERROR_CODES) as ErrorCode[]).sort((a, b) => STATUS_OF[a] - STATUS_OF[b] || (a < b ? -1 : 1));
  return page(
    'Errors',
    'src/schemas/problem.ts and src/http/problems/status.ts',
    `Every error is a problem document (RFC 9457) with the media type \`application/problem+json\`. Programs should decide by \`code\`, which does not change between versions; \`title\`, \`detail\` and \`fix\` are for people. For invalid input, \`errors\` lists all faults at once, each with a JSON pointer to its place.`,
    codeBlock('json', JSON.stringify(example, null, 2)),
    `Answers with status 429 or 503 carry \`Retry-After\`, in seconds. Answers with status 500 never say what failed; the log does, under the \`x-request-id\` of the answer.`,
    table(
      ['Code', 'Status', 'Meaning', 'Fix'],
      codes.map((name) => [code(name), String(STATUS_OF[name]), ERROR_CODES[name].title, ERROR_CODES[name].fix]),
    ),
  );
}
