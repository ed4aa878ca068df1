/**
 * Prints `N passed, N failed, N skipped`, as read from the JSON report that `npm test` writes.
 *
 * A file that doesn't load, a report without any test, and no report at all each count as a failure. The report doesn't tell of
 * errors outside the tests (an unhandled rejection): for those only the exit code of `npm test` speaks.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface TestReport {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

const reportPath = fileURLToPath(new URL('../test-results/report.json', import.meta.url));

function readReport(): TestReport | undefined {
  try {
    return JSON.parse(readFileSync(reportPath, 'utf8'));
  } catch {
    return undefined;
  }
}

function summarize(report: TestReport): { passed: number; failed: number; skipped: number } {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + brokenFiles.length;
  const passed = report.numPassedTests;
  const wentWrong = !report.success || passed + failed === 0;
  return { passed, failed: failed === 0 && wentWrong ? 1 : failed, skipped: report.numPendingTests + report.numTodoTests };
}

const report = readReport();
const { passed, failed, skipped } = report ? summarize(report) : { passed: 0, failed: 1, skipped: 0 };
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
if (failed > 0) process.exitCode = 1;
