/**
 * Prints `N passed, N failed, N skipped`, the sum of the JSON reports that it is given (that of `npm test`, when none is named). A report that is
 * missing counts as a failure, and any failure makes the exit code 1.
 */
import { readReport, type Summary, summarize, toText } from './test-reports.ts';

const paths = process.argv.length > 2 ? process.argv.slice(2) : ['test-results/report.json'];
const total: Summary = { passed: 0, failed: 0, skipped: 0 };
for (const path of paths) {
  const { passed, failed, skipped } = summarize(readReport(path));
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}
console.log(toText(total));
if (total.failed > 0) process.exitCode = 1;
