import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import type { HostSeen } from '../../examples/pages/site.ts';

interface Row {
  id: string;
  value: { url: string; title: string; bytes: number; links: string[] } | null;
  error: { type: string; message: string; attempts: number } | null;
  sequenceId: number;
}

let rows: Row[];
let hosts: HostSeen[];

beforeAll(async () => {
  const child = spawn(process.execPath, ['examples/pages/index.ts'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, log, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once('close', resolve)),
  ]);
  expect(code, log).toBe(0);
  rows = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  hosts = Object.values(JSON.parse(log.trim().split('\n').at(-1) as string));
}, 60_000);

describe('the example pages', () => {
  it('reads every page, in the order of the feed, after the urgent ones', () => {
    expect(rows).toHaveLength(83);
    expect(rows.slice(0, 2).map(({ value }) => value?.title)).toEqual(['Page 1000', 'Page 1000']);
    const titles = Array.from({ length: 40 }, (_, i) => `Page ${i + 1}`);
    expect(rows.slice(2, 82).map(({ value }) => value?.title)).toEqual([...titles, ...titles]);
    expect(rows[2]?.value).toEqual({ url: rows[2]?.id, title: 'Page 1', bytes: 84, links: ['/page/2', '/page/2'] });
  });

  it('fails the page that does not exist, and no other', () => {
    expect(rows.filter(({ error }) => error !== null)).toMatchObject([
      {
        id: expect.stringMatching(/nowhere$/),
        error: { type: 'HttpStatus', message: 'the server answered 404: no such page', attempts: 1 },
      },
    ]);
  });

  it('asks a host for no more than three pages at once, and recovers from each 503', () => {
    expect(hosts).toHaveLength(2);
    for (const { mostAtOnce, paths } of hosts) {
      expect(mostAtOnce).toBeLessThanOrEqual(3);
      expect(paths.filter((path) => path === '/page/7')).toHaveLength(2);
      expect(paths.filter((path) => path === '/page/27')).toHaveLength(2);
    }
  });

  it('leaves a host alone as long as that asks for it', () => {
    expect(hosts.map(({ duringPause }) => duringPause)).toEqual([0, 0]);
  });

  it('lets the urgent pages overtake the others', () => {
    for (const { paths } of hosts) expect(paths.indexOf('/page/1000')).toBeLessThan(30);
  });
});
