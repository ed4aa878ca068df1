import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../src/engine/index.ts';
import { retryAfterOf, toProblem, toSluiceError } from '../../src/http/problems/problem.ts';
import { STATUS_OF } from '../../src/http/problems/status.ts';
import { ERROR_CODES } from '../../src/schemas/problem.ts';

describe('status', () => {
  it('knows every code, and only statuses of errors', () => {
    expect(Object.keys(STATUS_OF).sort()).toEqual(Object.keys(ERROR_CODES).sort());
    for (const status of Object.values(STATUS_OF)) expect(status).toSatisfy((n: number) => n >= 400 && n < 600);
  });
});

describe('problem', () => {
  it('has the members of RFC 9457, the code, the fix and the faults', () => {
    const error = new SluiceError('invalid-input', 'two faults', { errors: [{ path: '/a', message: 'is required' }] });
    expect(toProblem(error, '/pipelines', 'r1')).toEqual({
      type: 'urn:sluice:problem:invalid-input',
      title: ERROR_CODES['invalid-input'].title,
      status: 400,
      detail: 'two faults',
      instance: '/pipelines',
      code: 'invalid-input',
      fix: ERROR_CODES['invalid-input'].fix,
      errors: [{ path: '/a', message: 'is required' }],
    });
  });

  it('carries details, which never overwrite standard members', () => {
    const error = new SluiceError('malformed-line', 'bad', { details: { line: 3, status: 999, code: 'x' } });
    expect(toProblem(error, '/', 'r1')).toMatchObject({ line: 3, status: 400, code: 'malformed-line' });
  });

  it('says nothing of the inside in a 5xx', () => {
    const secret = toSluiceError(new Error('password is hunter2'));
    expect(JSON.stringify(toProblem(secret, '/', 'r1'))).not.toContain('hunter2');
    expect(toProblem(secret, '/', 'r1')).toMatchObject({ status: 500, detail: expect.stringContaining('r1') });
    const internal = new SluiceError('internal-error', 'at /srv/db', { details: { host: 'db1' } });
    expect(JSON.stringify(toProblem(internal, '/', 'r1'))).not.toMatch(/srv|db1/);
  });

  it('maps what Fastify and plugins throw', () => {
    expect(toSluiceError({ code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413, message: 'x' }).code).toBe('body-too-large');
    expect(toSluiceError({ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415, message: 'x' }).code).toBe('unsupported-media-type');
    expect(toSluiceError({ statusCode: 404, message: 'x' }).code).toBe('not-found');
    expect(toSluiceError({ statusCode: 418, message: 'x' }).code).toBe('bad-request');
    for (const odd of [undefined, null, 'text', 1, { statusCode: 503 }]) expect(toSluiceError(odd).code).toBe('internal-error');
  });

  it('always says when to come back to a full queue and to a closing service', () => {
    expect(retryAfterOf(new SluiceError('queue-full'))).toBeGreaterThan(0);
    expect(retryAfterOf(new SluiceError('shutting-down'))).toBeGreaterThan(0);
    expect(retryAfterOf(new SluiceError('queue-full', 'x', { retryAfterSeconds: 2.1 }))).toBe(3);
    expect(retryAfterOf(new SluiceError('not-found'))).toBeUndefined();
  });
});
