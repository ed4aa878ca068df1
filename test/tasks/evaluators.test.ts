import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Work } from '../../tasks/kit/evaluation.ts';
import { createEvaluatorPool, type EvaluatorPoolOptions } from '../../tasks/kit/evaluators.ts';
import { eventually } from '../http/sse-harness.ts';

/** For what is not to meet its time limit, however slow the machine is. */
const TIMEOUT_MS = 10_000;
const SHORT_MS = 400;
/** A backtracking that no other engine can take over, because of what it looks ahead for. */
const SPIN = '$contains(text, /^(a+)+(?=x)$/)';
const spun = { text: `${'a'.repeat(60)}!` };

function world(options: EvaluatorPoolOptions = {}) {
  const pool = createEvaluatorPool({ size: 2, ...options });
  onTestFinished(() => pool.close());
  const work = (source: string, timeoutMs = TIMEOUT_MS): Work => ({ kind: 'expression', source, timeoutMs });
  const run = (given: Work | string, input: unknown = {}): Promise<unknown> =>
    pool
      .run(typeof given === 'string' ? work(given) : given, { input, bindings: undefined })
      .catch((error: Error) => `${error.name}: ${error.message}`);
  return { pool, work, run };
}

describe('an evaluation', () => {
  it('that stands in a native function ends at the time limit, which its error names', async () => {
    const { run, work } = world();
    expect(await run(work(SPIN, SHORT_MS), spun)).toBe('Error: it was stopped because it took longer than 0.4 s (time limit)');
  });

  it.each([
    ['$count([1..900000].{"a": [$, $, $], "b": {"c": $}})', {}],
    ['$each([1..900000]{$string($): {"a": $}}, function($v) { $v })', {}],
    ['($f := function($all) { $f($append($all, $all)) }; $f([1..400000].{"n": $}))', {}],
    ['items@$x.others@$y.more@$z.{"x": $x, "y": $y, "z": $z}', { items: [...Array(300).keys()], others: [1, 2, 3], more: [1, 2, 3] }],
  ])('%s that takes more memory than there is ends alone', async (source, input) => {
    const { run, work } = world({ memoryMb: 16 });
    const found = await run(work(source, 60_000), source.startsWith('items') ? { ...input, ...many(input) } : input);
    expect(found).toBe('Error: it was stopped because it needed more than 16 MB of memory (memory limit)');
    expect(await run('1 + 1')).toBe(2);
  });

  it.each([
    ['{"a": $error("no"), "b": GROW}', {}],
    ['$.items{kind: kind = "a" ? $error("no") : GROW}', { items: [{ kind: 'a' }, { kind: 'b' }] }],
    ['[{"a": $number("x"), "b": {"c": GROW}}]', {}],
  ])('%s, which fails while another part of it goes on, has ended when it is answered', async (source, input) => {
    const { run, work } = world({ memoryMb: 16 });
    const grow = '($f := function($all) { $f($append($all, [1..20000].{"n": [$, $, $]})) }; $f([]))';
    const failing = work(source.replace('GROW', grow), 60_000);
    expect(await run(failing, input)).toBe('Error: it was stopped because it needed more than 16 MB of memory (memory limit)');
    expect(await run('1 + 1')).toBe(2);
  });

  it('that doubles a text ends at the text limit', async () => {
    const { run } = world();
    expect(await run('($f := function($s) { $f($s & $s) }; $f("ab"))')).toMatch(/text limit/);
  });

  it('whose result is too large ends at the output limit', async () => {
    const { run, work } = world();
    expect(await run(work('[$pad("", 5000000, "x"), $pad("", 5000000, "y")]', 10_000))).toMatch(/output limit/);
  });

  it('of a value that is too large does not begin', async () => {
    const { run } = world();
    expect(await run('$', Array(40).fill('x'.repeat(1_000_000)))).toMatch(/input limit/);
  });

  it('keeps what is in a value: nothing, -0, dates of JSONata, the order of members, members of any name', async () => {
    const { run } = world();
    expect(await run('nothing')).toBeUndefined();
    expect(await run('$', null)).toBeNull();
    expect(Object.is(await run('n', { n: -0 }), -0)).toBe(true);
    expect(Object.keys((await run('$', { b: 1, a: 2, 10: 3 })) as object)).toEqual(['10', 'b', 'a']);
    const odd = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}');
    const kept = (await run('$', odd)) as object;
    expect(Object.keys(kept)).toEqual(['__proto__', 'constructor']);
    expect(JSON.stringify(kept)).toBe(JSON.stringify(odd));
    const before = Date.now();
    const now = Date.parse((await run('$now()')) as string);
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  it('finds nothing of this process: no variable of its environment, no global', async () => {
    process.env.SECRET_OF_THIS_TEST = 'hunter22';
    onTestFinished(() => {
      delete process.env.SECRET_OF_THIS_TEST;
    });
    const { run } = world();
    for (const source of ['$process', 'process', '$.constructor', '$sum.constructor', '$eval("$global")']) {
      expect(await run(source, {})).toBeUndefined();
    }
  });

  it.each([
    '$ ~> |$sum|{"implementation": 1}|',
    '$ ~> |$spread($sum)[2].signature|{"validate": 1}|',
    '($m := $merge([$sum]); $ ~> |$m|{}, ["_jsonata_function"]|; $ ~> |$m.signature|{"validate": 1}|)',
    '$sum := $max',
    '$eval("$ ~> |$sum|{\\"implementation\\": 1}|")',
  ])('%s changes nothing for the next one', async (source) => {
    const { run } = world();
    await run(source, { a: 1 });
    expect(await run('$sum([1, 2])')).toBe(3);
  });
});

describe('neighbours of one that ends at a limit', () => {
  it('in its batch are evaluated again, each with its own time', async () => {
    const { run, work } = world();
    const shared = work('text = "spin" ? $contains(long, /^(a+)+(?=x)$/) : text', 1000);
    // What it costs is learnt, so that many of them go together.
    for (let i = 0; i < 50; i++) await run(shared, { text: String(i) });
    const inputs = Array.from({ length: 40 }, (_, i) => (i === 7 ? { text: 'spin', long: spun.text } : { text: String(i) }));
    const found = await Promise.all(inputs.map((input) => run(shared, input)));
    expect(found.filter((each) => /time limit/.test(String(each)))).toHaveLength(1);
    expect(found.every((each, i) => (i === 7 ? /time limit/.test(String(each)) : each === String(i)))).toBe(true);
  });

  it('do not wait for its end', async () => {
    const { run, work } = world();
    await Promise.all([run('1'), run('2')]);
    const ended: string[] = [];
    const slow = run(work(SPIN, 20_000), spun).then(() => ended.push('slow'));
    void slow;
    for (let i = 0; i < 20; i++) expect(await run(`${i} + 1`)).toBe(i + 1);
    expect(ended).toEqual([]);
  });

  it('get a turn however many of the slow ones wait', async () => {
    const { run, work } = world();
    const slow = work(SPIN, 200);
    await run(slow, spun);
    const ended: string[] = [];
    const all = Array.from({ length: 4 }, () => run(slow, spun).then(() => ended.push('slow')));
    await run('1 + 1').then(() => ended.push('quick'));
    expect(ended.indexOf('quick')).toBeLessThanOrEqual(1);
    await Promise.all(all);
    expect(ended).toHaveLength(5);
  });
});

describe('an evaluator', () => {
  it('that is ended from outside is replaced, and its calls are made again', async () => {
    const { run, work } = world();
    await run('1');
    const slow = run(work('$count([1..200000].{"a": $})', 60_000));
    for (const pid of childrenOf(process.pid)) process.kill(pid, 'SIGKILL');
    expect(await slow).toBe(200_000);
  });

  it('goes away when it has had nothing to do for a while, and another one comes when it is needed', async () => {
    const before = childrenOf(process.pid);
    const { run } = world({ idleMs: 50 });
    expect(await run('1 + 1')).toBe(2);
    await eventually(() => childrenOf(process.pid).length <= before.length);
    expect(await run('1 + 2')).toBe(3);
  });

  it('is gone when its pool is closed, and nothing waits for it', async () => {
    const { run, pool, work } = world();
    await run('1');
    const waiting = [run(work(SPIN, 60_000), spun), run(work(SPIN, 60_000), spun), run(work(SPIN, 60_000), spun)];
    setImmediate(() => pool.close());
    expect(await Promise.all(waiting)).toEqual(Array(3).fill('EvaluatorUnavailable: the evaluators are closed'));
    expect(await run('1')).toBe('EvaluatorUnavailable: the evaluators are closed');
  });

  it('does not keep a process alive, and ends with it, evaluating or not', async () => {
    const kit = new URL('../../tasks/kit/', import.meta.url).href;
    const script = `
      const { createEvaluatorPool } = await import('${kit}evaluators.ts');
      const pool = createEvaluatorPool({ size: 2 });
      const run = (source, input) => pool.run({ kind: 'expression', source, timeoutMs: 60000 }, { input, bindings: undefined });
      console.log(await run('1 + 1', null));
      const { readFileSync } = await import('node:fs');
      const children = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim();
      console.log(children);
      const [evaluator] = children.split(' ');
      // In clock ticks, of what it has computed.
      const computed = () => Number(readFileSync('/proc/' + evaluator + '/stat', 'utf8').split(') ')[1].split(' ')[11]);
      if (process.argv[1] !== 'idle') {
        const before = computed();
        run(${JSON.stringify(SPIN)}, ${JSON.stringify(spun)});
        while (computed() < before + 10) await new Promise((resolve) => setImmediate(resolve));
        if (process.argv[1] === 'exit') process.exit(0);
        process.kill(process.pid, 'SIGKILL');
      }
    `;
    for (const how of ['idle', 'exit', 'spin']) {
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, how]).catch((error) => error);
      const [result, ...children] = stdout.trim().split(/\s+/);
      expect(result).toBe('2');
      expect(children.length).toBeGreaterThan(0);
      await eventually(() => children.every((child: string) => !isRunning(child)));
    }
  });
});

function many({ items = [] }: { items?: readonly number[] }): object {
  return { others: items, more: items };
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
}

function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
