import { describeThrown, type TaskDeclaration, type TaskHandler } from '../../engine/index.ts';
import type { HandUse } from '../../engine/ports.ts';

/** A use of a task, predicate or hook that can be called. */
export interface Prepared {
  readonly declaration: TaskDeclaration;
  readonly params: unknown;
  readonly handler: TaskHandler;
}

const USES_MAX = 1000;
/** Longer ones are rendered for one item each. */
const TEXT_MAX = 16_384;

/** Prepares uses, each once: they are known by their text, and the ones that were not needed for the longest time are forgotten. */
export class PreparedUses {
  private readonly declarations: ReadonlyMap<string, TaskDeclaration>;
  private readonly known = new Map<string, Prepared>();

  constructor(declarations: Iterable<TaskDeclaration>) {
    this.declarations = new Map([...declarations].map((declaration) => [declaration.name, declaration]));
  }

  get size(): number {
    return this.known.size;
  }

  /** Undefined for what is not there. Throws a permanent error named `InvalidParams` when what is given does not match the schema. */
  find(use: HandUse): Prepared | undefined {
    const declaration = this.declarations.get(use.name);
    if (declaration?.kind !== use.kind) return undefined;
    const text = `${use.name} ${use.hasSecrets} ${JSON.stringify(use.given) ?? ''}`;
    if (text.length > TEXT_MAX) return prepare(declaration, use);
    const found = this.known.get(text) ?? prepare(declaration, use);
    this.known.delete(text);
    this.known.set(text, found);
    if (this.known.size > USES_MAX) {
      const [oldest] = this.known.keys();
      this.known.delete(oldest as string);
    }
    return found;
  }
}

function prepare(declaration: TaskDeclaration, { given, hasSecrets }: HandUse): Prepared {
  let params: unknown;
  try {
    params = declaration.parseParams(given);
  } catch (error) {
    throw Object.assign(new Error(describeThrown(error).message), { name: 'InvalidParams', permanent: true });
  }
  return { declaration, params, handler: declaration.prepare?.(params, { hasSecrets }) ?? declaration.run };
}
