import { expect, onTestFinished } from 'vitest';
import type { TaskDeclaration, TaskHandler } from '../../src/engine/index.ts';
import { type Service, type ServiceOptions, startService } from '../http/app-harness.ts';
import { type ReadFamily, readMetrics } from '../monitoring/reading.ts';

export async function service(options: ServiceOptions = {}): Promise<Service> {
  const started = await startService(options);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

export async function read(of: Pick<Service, 'app'>): Promise<Map<string, ReadFamily>> {
  const answer = await of.app.inject({ method: 'GET', url: '/metrics' });
  expect([answer.statusCode, answer.body]).toEqual([200, answer.body]);
  return readMetrics(answer.body);
}

/** Values by what the label says. */
export function by(families: ReadonlyMap<string, ReadFamily>, name: string, label: string): Record<string, number> {
  return Object.fromEntries((families.get(name)?.samples ?? []).map(({ labels, value }) => [labels[label], value]));
}

export function declared(name: string, run: TaskHandler): TaskDeclaration {
  return { name, kind: 'task', description: name, paramsSchema: null, parseParams: () => undefined, run };
}

export const done = (of: Service, id: string, feedId: string) => of.host.get(id).waitForFeed(feedId, {});
