import { type PipelineDefinition, pipelineDefinitionSchema } from '../../schemas/definition.ts';
import { faultsOf, jsonPointer } from '../../schemas/faults.ts';
import type { ErrorCode, Fault } from '../../schemas/problem.ts';
import type { TaskKind } from '../../schemas/task.ts';
import { SluiceError } from '../contract/errors.ts';
import { bytesWithin } from '../values/json-size.ts';
import type { SpecEnvironment } from './resolved-use.ts';
import { runOnFaults } from './run-on.ts';
import { useCost, useFaults } from './task-use.ts';

export interface DefinitionLimits {
  maxStages: number;
  maxWorkersPerStage: number;
  /** The most workers in all pipelines together. Default 20 000. */
  maxWorkers?: number;
  /** The most pipelines. Default 1000. */
  maxPipelines?: number;
  /** The most bytes of a definition as JSON in UTF-8. Default 1 MiB. */
  maxDefinitionBytes?: number;
}

interface Found extends Fault {
  code: 'invalid-input' | 'unknown-task' | 'unknown-limiter' | 'invalid-pipeline' | 'invalid-params';
}

/**
 * Checks a definition as it was sent, and returns it with defaults filled in. All faults are reported together: faults of meaning (an
 * unregistered task, a duplicate stage name) even when the shape is broken elsewhere. Throws the first of these codes that applies:
 * `invalid-input` (the shape), `unknown-task`, `unknown-limiter`, `invalid-pipeline`, `invalid-params`.
 */
export function checkDefinition(
  raw: unknown,
  environment: SpecEnvironment,
  limits: DefinitionLimits,
  { isStored = false } = {},
): PipelineDefinition {
  if (!isStored) expectSize(raw, limits.maxDefinitionBytes ?? MAX_DEFINITION_BYTES);
  const parsed = pipelineDefinitionSchema.safeParse(raw, { reportInput: true });
  const found: Found[] = parsed.success ? [] : faultsOf(parsed.error).map((fault) => ({ ...fault, code: 'invalid-input' }));
  const costly = isStored ? undefined : costFault(raw, environment);
  if (costly === undefined) found.push(...limitFaults(raw, environment));
  found.push(...meaningFaults(raw, environment, limits, { withParams: costly === undefined, isStored }));
  if (costly !== undefined) found.push(costly);
  if (found.length === 0 && parsed.success) return parsed.data;
  const order = ['invalid-input', 'unknown-task', 'unknown-limiter', 'invalid-pipeline', 'invalid-params'] as const;
  const code: ErrorCode = order.find((candidate) => found.some((fault) => fault.code === candidate)) ?? 'invalid-pipeline';
  const errors = found.slice(0, FAULTS_TOLD).map(({ path, message }) => ({ path, message }));
  if (found.length > FAULTS_TOLD) errors.push({ path: '', message: `has ${found.length - FAULTS_TOLD} more faults` });
  throw new SluiceError(code, errors.map(({ path, message }) => `${path || '/'} ${message}`).join('; '), { errors });
}

/**
 * Checks a definition that was accepted before, perhaps by an older version. Names that would be refused today are let through, and so is
 * one that costs more to check than {@link checkDefinition} allows, or that names what can never succeed: its items go on as they did.
 */
export function checkStoredDefinition(definition: PipelineDefinition, environment: SpecEnvironment, limits: DefinitionLimits): void {
  const usable = (name: string, place: number): string => (/^[.]{1,2}$/.test(name) ? `:${name}:${place}` : name);
  const stages = definition.stages.map((stage, i) => ({ ...stage, name: usable(stage.name, i) }));
  checkDefinition({ ...definition, id: usable(definition.id, 0), stages }, environment, limits, { isStored: true });
}

/** The most faults that a reply lists: nobody reads more, and one with hundreds of thousands would cost as much as many requests. */
const FAULTS_TOLD = 1000;

const MAX_DEFINITION_BYTES = 1024 * 1024;

/** A larger one is looked at no further. */
function expectSize(raw: unknown, most: number): void {
  if (bytesWithin(raw, most) <= most) return;
  const message = `is larger than ${most} bytes as JSON (MAX_DEFINITION_BYTES)`;
  throw new SluiceError('invalid-pipeline', `/ ${message}`, { errors: [{ path: '', message }] });
}

/** The most that checking a definition in one turn of the event loop may cost, in tenths of a millisecond. */
const COST_MAX = 2000;

/** The fault of a definition that is too expensive to check; estimated before anything is compiled. */
function costFault(raw: unknown, { registry }: SpecEnvironment): Found | undefined {
  const stages = field(raw, 'stages');
  if (!Array.isArray(stages)) return undefined;
  let cost = 0;
  for (const [, settings] of limitsIn(raw)) {
    for (const expression of [field(settings, 'key'), field(settings, 'weight')]) {
      if (typeof expression === 'string') cost += 1.5 + expression.length / 64;
    }
  }
  const seen = new Set<string>();
  const usesOf = (stage: unknown): [kind: TaskKind, use: unknown][] => {
    const tasks = field(stage, 'tasks');
    const uses: [kind: TaskKind, use: unknown][] = (Array.isArray(tasks) ? tasks : []).map((use) => ['task', use]);
    for (const { use } of hooksOf(stage)) uses.push(['hook', use]);
    return [...uses, ['predicate', field(stage, 'skipIf')]];
  };
  const ofPipeline: [TaskKind, unknown][] = [['hook', field(raw, 'onDone')]];
  for (const uses of [ofPipeline, ...stages.map(usesOf)]) {
    for (const [kind, use] of uses) {
      const name = field(use, 'task');
      const given = field(use, 'with');
      const declaration = typeof name === 'string' && given !== undefined ? registry.get(name, kind) : undefined;
      if (declaration === undefined) continue;
      // A repeated use is counted once.
      const key = `${name} ${JSON.stringify(given)}`;
      if (!seen.has(key)) cost += useCost(declaration, given, COST_MAX - cost);
      seen.add(key);
      if (cost > COST_MAX) break;
    }
  }
  if (cost <= COST_MAX) return undefined;
  const message =
    `has more schemas, expressions and templates than may be checked at once: they count more than ${COST_MAX}, where a schema counts 15 and each ` +
    'of its keywords about 0.5, an expression 1.5 and its length / 64, a template 2 and its length / 32';
  return { code: 'invalid-pipeline', path: '/stages', message };
}

interface Thoroughness {
  /** Parameters are looked at. */
  withParams: boolean;
  /** It was accepted before. */
  isStored: boolean;
}

/** The faults of the expressions of the limiters that a definition defines. */
function limitFaults(raw: unknown, { limiters }: SpecEnvironment): Found[] {
  return limitsIn(raw)
    .slice(0, FAULTS_TOLD)
    .flatMap(([name, settings]) =>
      limiters
        .faultsOf({ key: field(settings, 'key'), weight: field(settings, 'weight') })
        .map(({ path, message }): Found => ({ code: 'invalid-params', path: `${jsonPointer(['limits', name])}${path}`, message })),
    );
}

function limitsIn(raw: unknown): [name: string, settings: unknown][] {
  const limits = field(raw, 'limits');
  return typeof limits === 'object' && limits !== null && !Array.isArray(limits) ? Object.entries(limits) : [];
}

/** Finds faults of meaning in whatever can be read of a definition that may be broken elsewhere. */
function meaningFaults(raw: unknown, environment: SpecEnvironment, limits: DefinitionLimits, how: Thoroughness): Found[] {
  const stages = field(raw, 'stages');
  const found: Found[] = useFaultsAt(field(raw, 'onDone'), 'hook', '/onDone', environment, how);
  if (!Array.isArray(stages)) return found;
  if (stages.length > limits.maxStages) {
    found.push({ code: 'invalid-pipeline', path: '/stages', message: `has more than ${limits.maxStages} stages` });
    if (stages.length > FAULTS_TOLD) return found;
  }
  const names = new Set<unknown>();
  const { limiters } = environment;
  const id = field(raw, 'id');
  const defined = new Set(limitsIn(raw).map(([name]) => name));
  for (const [i, stage] of stages.entries()) {
    const at = `/stages/${i}`;
    const name = field(stage, 'name');
    if (typeof name === 'string' && names.has(name)) {
      found.push({ code: 'invalid-pipeline', path: `${at}/name`, message: `"${name}" is already the name of an earlier stage` });
    }
    names.add(name);
    if (i === 0 && field(stage, 'pull') === true) {
      found.push({ code: 'invalid-pipeline', path: `${at}/pull`, message: 'the first stage has no stage before it to pull from' });
    }
    const workers = field(stage, 'workers');
    if (typeof workers === 'number' && workers > limits.maxWorkersPerStage) {
      found.push({ code: 'invalid-pipeline', path: `${at}/workers`, message: `is more than ${limits.maxWorkersPerStage}` });
    }
    found.push(...taskFaults(stage, at, environment, how, (limiter) => defined.has(limiter) || limiters.isDefinedBeside(limiter, id)));
  }
  return found;
}

function taskFaults(
  stage: unknown,
  at: string,
  environment: SpecEnvironment,
  { withParams, isStored }: Thoroughness,
  isLimiter: (name: string) => boolean,
): Found[] {
  const found: Found[] = [];
  const names = new Set<unknown>();
  const check = (use: unknown, kind: TaskKind, path: string): void => {
    names.add(nameIn(use));
    found.push(...useFaultsAt(use, kind, path, environment, { withParams, isStored }));
  };
  const tasks = field(stage, 'tasks');
  for (const [i, use] of (Array.isArray(tasks) ? tasks : []).entries()) {
    const path = `${at}/tasks/${i}`;
    check(use, 'task', path);
    const limiter = field(use, 'limiter');
    for (const [n, each] of (Array.isArray(limiter) ? limiter : [limiter]).entries()) {
      if (typeof each !== 'string' || isLimiter(each)) continue;
      const place = Array.isArray(limiter) ? `${path}/limiter/${n}` : `${path}/limiter`;
      found.push({ code: 'unknown-limiter', path: place, message: `no limiter "${each}" is defined` });
    }
  }
  const taskNames = new Set(names);
  const wrongPlaces = runOnFaults(field(stage, 'runOn'), Array.isArray(tasks) ? tasks.map(nameIn) : [], environment);
  found.push(...wrongPlaces.map(({ path, message }): Found => ({ code: 'invalid-pipeline', path: `${at}${path}`, message })));
  for (const { use, path } of hooksOf(stage)) check(use, 'hook', `${at}/${path}`);
  check(field(stage, 'skipIf'), 'predicate', `${at}/skipIf`);
  for (const limit of ['taskConcurrencyLimits', 'taskRateLimits']) {
    const given = field(stage, limit);
    if (typeof given !== 'object' || given === null) continue;
    for (const name of Object.keys(given)) {
      if (taskNames.has(name)) continue;
      const message = `is a limit for "${name}", which is not a task of this stage`;
      found.push({ code: 'invalid-pipeline', path: `${at}/${limit}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, message });
    }
  }
  return found;
}

function hooksOf(stage: unknown): { use: unknown; path: string }[] {
  const named = ['onSuccess', 'onFailure', 'onSkip'].map((path) => ({ use: field(stage, path), path }));
  return [...named, { use: field(field(stage, 'pauseAfterFailures'), 'hook'), path: 'pauseAfterFailures/hook' }];
}

function nameIn(use: unknown): unknown {
  return typeof use === 'string' ? use : field(use, 'task');
}

/** The faults of one use, which may be absent; `path`: where it stands. */
function useFaultsAt(
  use: unknown,
  kind: TaskKind,
  path: string,
  environment: SpecEnvironment,
  { withParams, isStored }: Thoroughness,
): Found[] {
  const name = nameIn(use);
  if (typeof name !== 'string' || name === '') return [];
  const declaration = environment.registry.get(name, kind);
  if (declaration === undefined) {
    const named = typeof use === 'string' || kind === 'task' ? path : `${path}/task`;
    return [{ code: 'unknown-task', path: named, message: `no ${kind} "${name}" is registered` }];
  }
  if (!withParams) return [];
  return useFaults(declaration, field(use, 'with'), environment.ports, isStored).map((fault) => ({
    code: 'invalid-params',
    path: `${path}/with${fault.path}`,
    message: fault.message,
  }));
}

function field(from: unknown, name: string): unknown {
  return typeof from === 'object' && from !== null && Object.hasOwn(from, name) ? (from as Record<string, unknown>)[name] : undefined;
}
