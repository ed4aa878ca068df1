import type { Random } from '../../engine/simulation/random.ts';
import type { Attack } from './attack.ts';
import { attacksOnExpressions, elsewhere } from './attacks-on-expressions.ts';
import { attacksOnSchemas } from './attacks-on-schemas.ts';

/** Tasks of a day's work: some fail on some values, some take a moment, one is retried. */
const TASKS: readonly unknown[] = [
  'hash',
  { task: 'hash', with: { encoding: 'base64url', field: 'digest' } },
  { task: 'hash', with: { field: 'of-{{ itemId }}' } },
  { task: 'jsonata', with: { expression: '$' } },
  { task: 'jsonata', with: { expression: '{ "seen": $string($), "by": $itemId, "from": $metadata }' } },
  { task: 'jsonata', with: { expression: 'null' } },
  { task: 'json_schema', with: { schema: { type: ['object', 'array', 'string', 'number'] } } },
  { task: 'json_schema', with: { schema: { not: { const: 'bad' } } } },
  { task: 'sleep', with: { seconds: 0.005 } },
  { task: 'sleep', with: { seconds: '{{ $count([1..20]) / 1000 }}' } },
  { task: 'file_append', with: { file: 'fuzz/out-{{ sequenceId % 3 }}.ndjson' } },
  // Nobody listens there: each attempt fails.
  { task: 'http_request', with: { url: 'http://127.0.0.1:9/{{ $encodeUrlComponent(itemId) }}' } },
];

function stageOf(name: string, random: Random, limiters: readonly string[]): object {
  const tasks = Array.from({ length: random.int(1, 2) }, () => random.pick(TASKS));
  const names = tasks.map((task) => (typeof task === 'string' ? task : (task as { task: string }).task));
  const limited = random.pick(names);
  const limiter = random.chance(0.2) && limiters.length > 0 ? [{ task: 'hash', limiter: random.pick(limiters) }] : [];
  return {
    name,
    tasks: [...tasks, ...limiter],
    workers: random.int(1, 4),
    taskWaitSeconds: 0.01,
    taskAttempts: random.int(1, 3),
    ...(random.chance(0.3) && { retry: 'per_stage', stageAttempts: random.int(1, 3) }),
    ...(random.chance(0.2) && { jitter: 0.5, backoff: 'exponential', maxWaitSeconds: 0.05 }),
    ...(random.chance(0.2) && { skipIf: { task: 'jsonata_true', with: { expression: 'skip = true or $ = "skip"' } } }),
    ...(random.chance(0.2) && { onSuccess: 'log_success', onFailure: 'log_failure', onSkip: 'log_skip' }),
    ...(random.chance(0.2) && { taskConcurrencyLimits: { [limited]: 1 } }),
    ...(random.chance(0.1) && { taskRateLimits: { [limited]: { limit: 50, perSeconds: 0.1 } } }),
    ...(random.chance(0.3) && { queueCapacity: random.int(1, 20) }),
    ...(random.chance(0.1) && { unpackArgs: true }),
    ...(random.chance(0.1) && { taskTimeoutSeconds: 0.05 }),
  };
}

const STAGES = ['Fetch', 'Only', 'a b', 'x.y', 'Last'];

/** A definition that is taken. */
export function plainDefinition(id: string, random: Random, limiters: readonly string[]) {
  const from = random.int(0, 2);
  const stages = STAGES.slice(from, from + random.int(1, 3)).map((name) => stageOf(name, random, limiters));
  return {
    id,
    stages: stages as { name: string }[],
    ...(random.chance(0.2) && { collectResults: false }),
    ...(random.chance(0.1) && { retention: { maxItems: random.int(0, 50) } }),
    ...(random.chance(0.1) && { backlogCapacity: 200 }),
    ...(random.chance(0.2) && { limits: { [`of-${id}`]: { limit: random.int(5, 50), perSeconds: 0.1 } } }),
  };
}

const ATTACKS: readonly Attack[] = [...attacksOnSchemas, ...attacksOnExpressions, ...attacksOnExpressions];

/** Another of them each time, so that a long run tries all. */
export function createAttacks(random: Random): () => Attack {
  let left: Attack[] = [];
  return () => {
    if (left.length === 0) {
      left = [...ATTACKS];
      for (let i = left.length - 1; i > 0; i--) {
        const j = random.int(0, i);
        [left[i], left[j]] = [left[j] as Attack, left[i] as Attack];
      }
    }
    const attack = left.pop() as Attack;
    return attack.name.startsWith('expression ') && random.chance(0.4) ? elsewhere(attack, random) : attack;
  };
}
