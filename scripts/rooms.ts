/** The order of the rooms in the engine, in the cluster and in the HTTP side, as rules for `.dependency-cruiser.mjs`. */
import type { IForbiddenRuleType } from 'dependency-cruiser';

/**
 * The rooms of a folder, top to bottom: a room imports itself and what stands below it, and never what stands above it. A room is
 * a folder, or a file where its name ends with `.ts`; `npm run deps` prints them with the arrows between them.
 */
export const ROOMS: Record<string, readonly string[]> = {
  'src/engine': [
    'index.ts',
    'local',
    'durable',
    'feeds',
    'control',
    'flow',
    'events',
    'model',
    'stage',
    'definition',
    'limits',
    'series',
    'time',
    'measures',
    'store.ts',
    'contract',
    'ports.ts',
    'queues',
    'values',
  ],
  'src/cluster': [
    'node.ts',
    'node',
    'postgres',
    'hands',
    'ownership',
    'replicated-store.ts',
    'takeover.ts',
    'appender.ts',
    'snapshotting.ts',
    'restoring.ts',
    'follower.ts',
    'replica.ts',
    'owner-clock.ts',
    'within.ts',
    'entry',
    'log',
  ],
  'src/http': ['routing', 'page', 'metrics', 'sse', 'schemas', 'gateway', 'guards', 'bodies', 'problems'],
};

/** Imports that go up all the same, until something takes their place; the check fails when nobody needs one any more. */
export const UPWARD: readonly { from: string; to: string; until: string }[] = [];

/** A rule a room: what it may not import. Files of it that may go up have rules of their own. */
export function roomRules(): IForbiddenRuleType[] {
  return Object.entries(ROOMS).flatMap(([folder, names]) => {
    const rooms = names.map((name) => (name.endsWith('.ts') ? `${folder}/${name}` : `${folder}/${name}/`));
    return rooms.flatMap((room, i) => {
      const exceptions = UPWARD.filter(({ from }) => from.startsWith(room));
      const excepted = [...new Set(exceptions.map(({ from }) => from))];
      const below = rooms.slice(i);
      return [
        ...(excepted.includes(room) ? [] : [rule(folder, room, excepted, below)]),
        ...excepted.map((from) => rule(folder, from, [], [...below, ...exceptions.filter((one) => one.from === from).map(({ to }) => to)])),
      ];
    });
  });
}

/** Files below `from`, but for those of `except`, import nothing of the folder but what is below `to`. */
function rule(folder: string, from: string, except: readonly string[], to: readonly string[]): IForbiddenRuleType {
  return {
    name: `${from} upwards`,
    comment: 'A room imports only what stands below it.',
    severity: 'error',
    from: { path: beginsWith([from]), pathNot: except.length === 0 ? [] : beginsWith(except) },
    to: { path: beginsWith([`${folder}/`]), pathNot: beginsWith(to) },
  };
}

function beginsWith(paths: readonly string[]): string {
  return `^(${paths.map((path) => path.replaceAll('.', '[.]')).join('|')})`;
}
