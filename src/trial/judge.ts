import { isDeepStrictEqual } from 'node:util';
import type { RunAnswer } from '../engine/index.ts';
import { containsAll } from './contains.ts';
import type { DefinitionTest, ExpectedResult } from './fixture.ts';
import type { HttpStandIns } from './http-stand-in.ts';

export interface TestFault {
  /** JSON Pointer within the test, to what is not so. */
  path: string;
  message: string;
}

interface Judged {
  test: DefinitionTest;
  all: readonly { requests?: number | undefined; url: string }[];
  http: HttpStandIns;
  seconds: number;
}

/** Lists everything that is not as the test says. */
export function judge({ results, pending }: RunAnswer, { test, all, http, seconds }: Judged): TestFault[] {
  const faults: TestFault[] = http.unmatched.slice(0, 10).map((request) => ({ path: '/http', message: `has no stand-in for ${request}` }));
  if (pending !== undefined) return [...faults, { path: '/items', message: 'have results that are too large for a test' }];
  const expected: readonly ExpectedResult[] = test.results ?? results.map(() => ({}));
  if (expected.length !== test.items.length && test.results !== undefined) {
    faults.push({ path: '/results', message: `has ${expected.length} results, but there are ${test.items.length} items` });
  }
  for (const [i, result] of results.entries()) {
    const one = expected[i];
    if (one !== undefined)
      faults.push(...resultFaults(result, one).map(({ path, message }) => ({ path: `/results/${i}${path}`, message })));
  }
  for (const [i, { requests, url }] of all.entries()) {
    if (requests !== undefined && http.counts[i] !== requests) {
      // Those of the file come after those of the test.
      const path = i < (test.http?.length ?? 0) ? `/http/${i}` : '';
      faults.push({ path, message: `expects ${requests} requests of ${url}, but there were ${http.counts[i]}` });
    }
  }
  const { min = 0, max = Number.POSITIVE_INFINITY } = test.seconds ?? {};
  if (seconds < min || seconds > max) faults.push({ path: '/seconds', message: `does not hold: it took ${seconds} s` });
  return faults;
}

function resultFaults({ id, value, error }: RunAnswer['results'][number], expected: ExpectedResult): TestFault[] {
  if (expected.id !== undefined && expected.id !== id)
    return [{ path: '/id', message: `is ${JSON.stringify(expected.id)}, but the item is ${JSON.stringify(id)}` }];
  if (expected.error === undefined) {
    if (error !== null) return [{ path: '', message: `expects ${id} to complete, but it failed with ${error.type}: ${error.message}` }];
    if ('value' in expected && !isDeepStrictEqual(value, expected.value)) {
      return [{ path: '/value', message: `is ${JSON.stringify(expected.value)}, but ${id} has ${JSON.stringify(value)}` }];
    }
    if ('contains' in expected && !containsAll(value, expected.contains)) {
      return [{ path: '/contains', message: `is ${JSON.stringify(expected.contains)}, but ${id} has ${JSON.stringify(value)}` }];
    }
    return [];
  }
  if (error === null) return [{ path: '/error', message: `expects ${id} to fail, but it completed with ${JSON.stringify(value)}` }];
  return Object.entries(expected.error).flatMap(([name, wanted]) => {
    const found = (error as Record<string, unknown>)[name];
    const isSo = name === 'message' ? String(found).includes(String(wanted)) : found === wanted;
    return isSo
      ? []
      : [{ path: `/error/${name}`, message: `is ${JSON.stringify(wanted)}, but ${id} has ${JSON.stringify(found ?? null)}` }];
  });
}
