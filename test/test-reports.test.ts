import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PLAYED_LATER } from '../scripts/played-later.ts';
import { failuresOf, notPassed, summarize, type TestReport } from '../scripts/test-reports.ts';

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

describe('files that a run left out of its suite', () => {
  type File = TestReport['testResults'][number];
  const file = (name: string, status: string, assertionResults: File['assertionResults'] = [passing]): File => ({
    name: `/p/${name}`,
    status,
    message: '',
    assertionResults,
  });
  const skipped = { status: 'pending', fullName: 'a cut', failureMessages: [] };

  it('have passed when one of the reports says so', () => {
    const reports = [report([file('test/a.test.ts', 'passed')]), report([file('test/b.test.ts', 'passed', [skipped, passing])])];
    expect(notPassed(['test/a.test.ts', 'test/b.test.ts'], reports, '/p/')).toEqual([]);
  });

  it.each([
    ['is in no report', []],
    ['failed', [report([file('test/a.test.ts', 'failed', [failing])])]],
    ['was skipped', [report([file('test/a.test.ts', 'passed', [skipped])])]],
    ['has a like name elsewhere', [report([file('test/clients/test/a.test.ts', 'passed')])]],
  ])('are named when one %s', (_what, reports) => {
    expect(notPassed(['test/a.test.ts'], reports, '/p/')).toEqual(['test/a.test.ts']);
  });

  it('are files that there are', () => {
    for (const path of PLAYED_LATER) expect(existsSync(new URL(`../${path}`, import.meta.url)), path).toBe(true);
  });
});
