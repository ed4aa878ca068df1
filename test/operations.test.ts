/** Runs the commands of docs/operations.md: every `sh` block, in order, on a store as a service leaves it. A block after `<!-- not run: … -->` says why it is left out. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter } from 'node:path';
import { expect, it } from 'vitest';
import { audit } from '../src/stores/sqlite/audit.ts';
import { folderWith } from './loader/folder.ts';
import { livesOf } from './stores/durable-host.ts';

const page = readFileSync('docs/operations.md', 'utf8');
const blocks = [...page.matchAll(/(?<notRun><!-- not run: [^\n]+ -->\n\n)?^```sh\n(?<body>.*?)^```$/gms)];
const run = blocks.filter(({ groups }) => groups?.notRun === undefined).map(({ groups }) => String(groups?.body));

it('the commands of the page on operations do what it says', { timeout: 120_000 }, async () => {
  expect(run.length).toBeGreaterThanOrEqual(3);
  const lives = livesOf({ pass: (value) => value });
  const { host, stop } = await lives.begin();
  for (const id of ['p', 'removed']) await host.create({ id, stages: [{ name: 'A', tasks: ['pass'] }] });
  const items = Array.from({ length: 300 }, (_, i) => ({ id: `i-${i}`, value: 'text '.repeat(200) }));
  for (const id of ['p', 'removed']) await host.get(id).run(items, {});
  await host.remove('removed', 'force');
  await stop();
  const before = statSync(lives.file()).size;
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  const { status, stdout, stderr } = spawnSync('bash', ['--noprofile', '--norc', '-euo', 'pipefail', '-c', run.join('\n')], {
    env: { PATH: path.join(delimiter), HOME: process.env.HOME, TMPDIR: folderWith(), STORE_URL: `file:${lives.file()}` },
    encoding: 'utf8',
  });
  expect({ status, stderr }, stdout).toMatchObject({ status: 0 });
  expect(stdout).toMatch(/sluice[.]cdx[.]json: \d+ components/);
  expect(stdout).toMatch(/p [(]running[)]: 300 fed, 300 completed/);
  expect(stdout).toMatch(/\d+ bytes before, \d+ bytes after/);
  expect(statSync(lives.file()).size).toBeLessThan(before);
  expect(audit(lives.file()).faults).toEqual([]);
});

it('the blocks that are left out need what no machine of the tests has, and name files that there are', () => {
  const left = blocks.filter(({ groups }) => groups?.notRun !== undefined);
  for (const { groups } of left) expect(groups?.notRun).toMatch(/it needs (Docker|a cluster)|it takes minutes/);
  for (const [, file = ''] of left.flatMap(({ groups }) => [...String(groups?.body).matchAll(/-f (\S+)/g)]))
    expect(existsSync(file), file).toBe(true);
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
  for (const [, script = ''] of page.matchAll(/npm run ([\w:]+)/g)) expect(scripts, script).toHaveProperty([script]);
  for (const [, profile] of page.matchAll(/--profile (\w+)/g))
    expect(readFileSync('docker-compose.yml', 'utf8')).toContain(`profiles: [${profile}]`);
});
