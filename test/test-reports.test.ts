import { describe, expect, it } from 'vitest';
import { failuresOf, summarize, type TestReport } from '../scripts/test-reports.ts';

const passing = { status: 'passed', fullName: 'a queue keeps its order', failureMessages: [] };
const failing = { status: 'failed', fullName: 'a queue is empty', failureMessages: ['expected 1 to be 0', 'later'] };

function report(files: TestReport['testResults'], counts: Partial<TestReport> = {}): TestReport {
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const count = (status: string): number => tests.filter((test) => test.status === status).length;
  return {
    success: files.every(({ status }) => status === 'passed'),
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: files,
    ...counts,
  };
}

describe('the summary of a report', () => {
  it('counts tests', () => {
    const files = [{ name: '/p/test/a.test.ts', status: 'failed', message: '', assertionResults: [passing, failing] }];
    expect(summarize(report(files, { numPendingTests: 2, numTodoTests: 1 }))).toEqual({ passed: 1, failed: 1, skipped: 3 });
  });

  it.each([
    [
      'a file that does not load',
      report([{ name: '/p/test/a.test.ts', status: 'failed', message: 'no such module', assertionResults: [] }]),
    ],
    ['a report without a test', report([])],
    ['a run that failed outside its tests', report([], { numPassedTests: 1, success: false })],
    ['no report', undefined],
  ])('counts %s as a failure', (_what, given) => {
    expect(summarize(given).failed).toBe(1);
  });
});

describe('the failures of a report', () => {
  it('are tests and files that do not load, by their path in the project, with the first error', () => {
    const files = [
      { name: '/p/test/a.test.ts', status: 'failed', message: '', assertionResults: [passing, failing] },
      { name: '/p/test/b.test.ts', status: 'failed', message: 'no such module', assertionResults: [] },
      { name: '/p/test/c.test.ts', status: 'passed', message: '', assertionResults: [passing] },
    ];
    expect(failuresOf(report(files), '/p')).toEqual([
      { title: 'test/a.test.ts > a queue is empty', error: 'expected 1 to be 0' },
      { title: 'test/b.test.ts', error: 'no such module' },
    ]);
  });
});
