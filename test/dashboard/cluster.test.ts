/** The page on three nodes over PostgreSQL: followers serve it, and what it shows goes on over a takeover. One cluster and one browser for all tests, in their order. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findPostgres, ownSchema } from '../cluster/postgres-service.ts';
import { createGate, GATE_TASK } from '../e2e/gate.ts';
import { type ServerProcess, startServer } from '../e2e/server.ts';
import { folderWith } from '../loader/folder.ts';
import { describePageIf, leave, pageFolder, show, useBrowser, type Visit, visit } from './browser.ts';
import { heardBy, RECORD_STREAM } from './recorded-stream.ts';

const database = await findPostgres();
const TIMEOUT = 120_000;
const EVENTS_KEPT = 300;
const NAMES = ['a', 'b', 'c'];

const connection = (page: Page) => page.getByRole('status');
const done = (page: Page) => page.locator('.outcome .figure');

describePageIf(database !== null)('the page of a cluster', { timeout: TIMEOUT }, () => {
  useBrowser();
  const nodes = new Map<string, ServerProcess>();
  let start: (name: string) => Promise<ServerProcess>;

  beforeAll(async () => {
    const schema = ownSchema(database as string);
    afterAll(() => schema.drop());
    const cwd = folderWith(
      {
        'tasks/gate.mjs': GATE_TASK,
        'tasks/echo.mjs': 'export default { run: (value) => value };',
        'pipelines/held.yaml': 'id: held\nstages:\n  - name: Wait\n    workers: 4\n    tasks: [gate]\n',
        'pipelines/quick.yaml': 'id: quick\nstages:\n  - name: Only\n    workers: 4\n    tasks: [echo]\n',
      },
      afterAll,
    );
    const env = {
      STORE_URL: schema.url,
      CLUSTER_KEY: 'a-secret-that-all-nodes-have',
      LEASE_SECONDS: '3',
      TAKEOVER_WAIT_SECONDS: '60',
      TASKS_DIR: './tasks',
      EVENTS_KEPT: String(EVENTS_KEPT),
      TEST_PAGE_FOLDER: pageFolder(),
      NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import=${import.meta.dirname}/page-folder.mjs`,
    };
    start = async (name) => {
      const node = await startServer({ ...env, NODE_NAME: name, DATA_DIR: `./${name}` }, { cwd, fromSources: true });
      nodes.set(name, node);
      return node;
    };
    await Promise.all(NAMES.map(start));
  }, TIMEOUT);
  afterAll(() => {
    for (const node of nodes.values()) node.signal('SIGKILL');
  });

  /** The node that owns, once one does, and the others. */
  async function parted(): Promise<{ owner: ServerProcess; followers: ServerProcess[] }> {
    const all = [...nodes.values()];
    const owner = await Promise.any(all.map((node) => node.logged('the pipelines go on here').then(() => node)));
    return { owner, followers: all.filter((node) => node !== owner) };
  }

  const visitNode = (node: ServerProcess, hash: string): Promise<Visit> => visit(node, hash, { script: RECORD_STREAM });

  it('lists the nodes with their roles, whichever of them serves it', async () => {
    const { owner, followers } = await parted();
    const nameOf = (node: ServerProcess) => [...nodes].find(([, one]) => one === node)?.[0] as string;
    for (const node of [owner, followers[0] as ServerProcess]) {
      const seen = await visitNode(node, '#/nodes');
      const rows = seen.page.getByRole('region', { name: 'Nodes' }).getByRole('row');
      await rows.nth(NAMES.length).waitFor();
      for (const [one, role] of [[owner, 'owner: runs the pipelines'], ...followers.map((follower) => [follower, 'follower'])] as const) {
        const cells = await rows
          .filter({ has: seen.page.getByRole('rowheader', { name: nameOf(one as ServerProcess), exact: true }) })
          .getByRole('cell')
          .allTextContents();
        expect([cells[0], cells.at(-1)]).toEqual([role, (one as ServerProcess).url]);
      }
      expect(await rows.count()).toBe(NAMES.length + 1);
      await leave(seen);
    }
  });

  it('is served by followers, and a takeover leaves its views as they were: none of its events is missed or comes twice', async () => {
    const gate = await createGate();
    const { owner, followers } = await parted();
    // One of them is the next owner, and the other one a follower still.
    const seen = await Promise.all(followers.map((node) => visitNode(node, '#/pipelines/held')));
    const pages = seen.map(({ page }) => page);
    await Promise.all(pages.map((page) => connection(page).getByText('Live').waitFor()));
    const items = ['one', 'two', 'three', 'four', 'five', 'six'].map((id) => ({ id, gate: gate.url }));
    expect((await (followers[0] as ServerProcess).post('/pipelines/held/feed', { feedId: 'f', items })).status).toBe(202);
    await gate.arrived(4);
    await Promise.all(pages.map((page) => page.locator('.cells i[data-mode="running"]').nth(3).waitFor()));

    const told = pages.map((page) =>
      connection(page)
        .getByText(/^(No connection|Connecting)/)
        .waitFor(),
    );
    owner.signal('SIGKILL');
    await owner.exited;
    nodes.delete([...nodes].find(([, node]) => node === owner)?.[0] as string);
    await Promise.all(told);
    await Promise.all(pages.map((page) => connection(page).getByText('Live').waitFor({ timeout: TIMEOUT })));
    gate.open();
    await Promise.all(pages.map((page) => done(page).getByText('6', { exact: true }).waitFor()));
    await Promise.all(pages.map((page) => page.getByText('0 waiting').waitFor()));

    for (const page of pages) {
      const { opened, events } = await heardBy(page);
      expect(events.filter(({ event }) => event === 'gap')).toEqual([]);
      const ended = events.flatMap(({ data }) => (data.final === true ? [data.itemId] : []));
      expect(ended.sort()).toEqual(items.map(({ id }) => id).sort());
      const ids = events.flatMap(({ id }) => id ?? []);
      expect(new Set(ids).size).toBe(ids.length);
      // From the first connection that had one, each goes on after an id.
      expect(opened.length).toBeGreaterThanOrEqual(2);
      expect(opened.at(-1)).toMatch(/^\w+-\d+$/);
    }
    await leave(...seen);
  });

  it('reads its state again when events that it missed are no longer kept', async () => {
    const { followers } = await parted();
    const [node] = followers as [ServerProcess];
    const seen = await visitNode(node, '#/pipelines/quick/control');
    const { page } = seen;
    await page.getByText(/0 blocked, 4 idle/).waitFor();
    await connection(page).getByText('Live').waitFor();
    const ended = page.waitForEvent('requestfailed', (request) => new URL(request.url()).pathname === '/events');
    await page.evaluate(show('hidden'));
    await ended;
    expect((await node.call('PATCH', '/pipelines/quick/stages/Only', { workers: 3 })).status).toBe(200);
    // Each has three events, so that the one of the change is forgotten.
    expect((await node.post('/pipelines/quick/feed', { feedId: 'f', items: new Array(EVENTS_KEPT).fill(0) })).status).toBe(202);
    expect((await node.post('/pipelines/quick/feeds/f/wait')).body.completed).toBe(EVENTS_KEPT);
    await page.evaluate(show('visible'));
    // Of the definition and what differs from it no stream tells: it was asked for again.
    await page.getByText('defined: 4').waitFor();
    const { events } = await heardBy(page);
    expect(events.filter(({ event }) => event === 'gap')).toHaveLength(1);
    expect(events.filter(({ event }) => event === 'pipeline')).toEqual([]);
    await connection(page).getByText('Live').waitFor();
    await leave(seen);
  });
});
