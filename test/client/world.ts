import { onTestFinished } from 'vitest';
import { createSluice, type Sluice } from '../../src/client/index.ts';
import { create, definition, type Service, type ServiceOptions, startService } from '../http/app-harness.ts';
import { type Cut, type CuttingProxy, cuttingProxy } from './cutting-proxy.ts';

export interface World {
  service: Service;
  /** Where the service listens itself. */
  url: string;
  proxy: CuttingProxy;
  /** Speaks through the proxy. */
  sluice: Sluice;
}

/** A service with a pipeline `p` of one stage, and a client behind a proxy that breaks connections. */
export async function world({
  task = 'echo',
  cuts = [],
  ...options
}: ServiceOptions & { task?: string; cuts?: Cut[] } = {}): Promise<World> {
  const service = await startService(options);
  onTestFinished(() => service[Symbol.asyncDispose]());
  const url = await service.app.listen({ port: 0, host: '127.0.0.1' });
  await create(service, definition('p', task));
  const proxy = await cuttingProxy(url, cuts);
  return { service, url, proxy, sluice: createSluice({ url: proxy.url }) };
}

/** Waits that a test has time for. */
export const PATIENCE = { firstSeconds: 0.01, maxSeconds: 0.05 };

export async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

export async function* numbered(count: number): AsyncGenerator<{ n: number }> {
  for (let n = 0; n < count; n++) yield { n };
}

export const numbers = (count: number): { n: number }[] => Array.from({ length: count }, (_, n) => ({ n }));

/** The numbers of all items, in feed order. */
export async function fedNumbers(sluice: Sluice): Promise<number[]> {
  const results = await collect(sluice.results('p', { status: 'all' }));
  return results.map(({ value }) => (value as { n: number }).n);
}
