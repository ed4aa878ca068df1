/** The page in Chromium, over a service of the test process. A test waits for what the page shows, never for a time. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest';
import { buildPage } from '../../scripts/build-page.ts';
import { type BuiltPage, readBuiltPage } from '../../src/http/page/built-page.ts';
import type { ApiKey } from '../../src/schemas/api-key.ts';
import { type Service, type ServiceOptions, startService } from '../http/app-harness.ts';

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A name that is none of this machine's own: to a browser, plain http there is not secure.
  '--host-resolver-rules=MAP sluice.test 127.0.0.1',
];

const isThere = existsSync(CHROMIUM);
if (!isThere && process.env.CI === 'true')
  throw new Error(`the tests of the page need Chromium, and there is no ${CHROMIUM} (CHROMIUM_PATH)`);
if (!isThere) process.stderr.write(`\nNOT RUN: the tests of the page need Chromium, and there is no ${CHROMIUM} (CHROMIUM_PATH).\n\n`);

/** A group of tests that need a browser. */
export const describePage = describe.skipIf(!isThere);
/** A group of tests that need a browser and something else. */
export const describePageIf = (hasAll: boolean) => describe.runIf(isThere && hasAll);

let folder = '';
let built: BuiltPage | null = null;
const sites: Service[] = [];
let browser: Browser | undefined;

/** Builds the page and starts the browser, once a file. Call it inside of a group of {@link describePage}. */
export function useBrowser(): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-page-'));
    await buildPage(folder);
    built = await readBuiltPage(folder);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    for (const site of sites.splice(0)) await site[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
}

/** Where the page was built. */
export const pageFolder = (): string => folder;

export interface Site extends Service {
  readonly url: string;
  readonly port: number;
}

/** A service with the page that listens, on a port of its own unless one is given, until the tests of the file are over. */
export async function startSite(options: ServiceOptions & { apiKeys?: readonly ApiKey[]; port?: number } = {}): Promise<Site> {
  const service = await startService({ ...options, page: built });
  await service.app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  const { port } = service.app.server.address() as AddressInfo;
  sites.push(service);
  return Object.assign(service, { url: `http://127.0.0.1:${port}`, port });
}

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** What the page has complained of: errors of scripts, breaches of its policy, requests that failed in the network. */
  complaints: string[];
  /** Every address that was asked for, without those of other tabs. */
  requested: string[];
}

/** Opens a browser profile of its own; tabs of one context share their streams. */
export async function newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await (browser as Browser).newContext({ viewport: { width: 1280, height: 900 }, ...options });
  onTestFinished(() => context.close());
  return context;
}

export interface VisitOptions extends BrowserContextOptions {
  context?: BrowserContext;
  /** Runs ahead of the scripts of the page. */
  script?: string;
}

export async function visit(site: { readonly url: string }, hash = '#/', options: VisitOptions = {}): Promise<Visit> {
  const { script, context = await newContext(options) } = options;
  const page = await context.newPage();
  if (script !== undefined) await page.addInitScript(script);
  const complaints: string[] = [];
  const requested: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => requested.push(request.url()));
  await page.goto(`${site.url}/${hash}`);
  return { page, context, complaints, requested };
}

/** As the browser does it when a tab goes into the background, or comes back. */
export const show = (state: 'hidden' | 'visible'): string =>
  `Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true }); document.dispatchEvent(new Event('visibilitychange'))`;

/** Closes what a test has opened, and fails if the page had anything to complain of. */
export async function leave(...visits: Visit[]): Promise<void> {
  for (const { context, complaints } of visits) {
    await context.close();
    expect(complaints).toEqual([]);
  }
}
