/** The JSON reports of vitest, and what is to be told of them. */
import { readFileSync } from 'node:fs';

export interface TestReport {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: FileResult[];
}

interface FileResult {
  /** The path of the test file. */
  name: string;
  status: string;
  /** Why the file did not load. */
  message: string;
  assertionResults: { status: string; fullName: string; failureMessages: string[] | null }[];
}

export interface Summary {
  passed: number;
  failed: number;
  skipped: number;
}

/** A test or a whole file that failed. */
export interface Failure {
  title: string;
  error: string;
}

/** The report at that path; `undefined` when there is none, or when it was not written to its end. */
export function readReport(path: string): TestReport | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * A file that doesn't load, a report without any test, and no report at all each count as a failure. The report doesn't tell of errors outside
 * the tests (an unhandled rejection): for those only the exit code of vitest speaks.
 */
export function summarize(report: TestReport | undefined): Summary {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const failed = report.numFailedTests + report.testResults.filter(isBroken).length;
  const passed = report.numPassedTests;
  const wentWrong = !report.success || passed + failed === 0;
  return { passed, failed: failed === 0 && wentWrong ? 1 : failed, skipped: report.numPendingTests + report.numTodoTests };
}

export const toText = ({ passed, failed, skipped }: Summary): string => `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** Every test that failed and every file that did not load, with its first error. Paths are relative to `root`. */
export function failuresOf(report: TestReport, root: string): Failure[] {
  return report.testResults.flatMap((file) => {
    const path = file.name.startsWith(`${root}/`) ? file.name.slice(root.length + 1) : file.name;
    if (isBroken(file)) return [{ title: path, error: file.message }];
    return file.assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => ({ title: `${path} > ${fullName}`, error: failureMessages?.[0] ?? '' }));
  });
}

/** Picks the files, relative to `root` with its slash, that have passed in none of the reports. A file of which every test was skipped has not passed. */
export function notPassed(files: readonly string[], reports: readonly TestReport[], root: string): string[] {
  const passed = reports
    .flatMap(({ testResults }) => testResults)
    .filter((file) => file.status === 'passed' && file.assertionResults.some(({ status }) => status === 'passed'))
    .map(({ name }) => name);
  return files.filter((file) => !passed.includes(`${root}${file}`));
}

function isBroken({ status, assertionResults }: FileResult): boolean {
  return status === 'failed' && !assertionResults.some((test) => test.status === 'failed');
}
