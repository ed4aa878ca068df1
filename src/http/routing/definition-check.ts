import { type ErrorCode, type PipelineHost, SluiceError } from '../../engine/index.ts';
import { guardJson } from '../../schemas/json-guard.ts';
import type { DefinitionFault, Validation } from '../../schemas/validation.ts';
import { readYamlApart } from '../../yaml/apart.ts';
import { YamlBody } from '../bodies/yaml-body.ts';
import { type Caller, sees } from '../guards/caller.ts';
import { invalidInput } from '../problems/faults.ts';
import { type DefinitionBody, readDefinitionBody, refuseOthers } from './definition-body.ts';

/** The codes of faults of a definition, and not of the request. */
const OF_DEFINITIONS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['invalid-input', 'unknown-task', 'unknown-limiter', 'invalid-pipeline', 'invalid-params'] as const),
  ...(['limiter-conflict', 'limiter-in-use', 'forbidden'] as const),
]);

interface Asked {
  host: PipelineHost;
  caller: Caller;
  against: string | undefined;
}

/** Checks a definition as it was sent, in JSON or in YAML. Throws `invalid-input` without one, `forbidden`, and `pipeline-not-found` for `against`. */
export async function checkDefinitionBody(body: unknown, asked: Asked): Promise<Validation> {
  const { caller, against } = asked;
  if (body === undefined || body === null) throw invalidInput('body', [{ path: '', message: 'is required' }]);
  if (against !== undefined && !sees(caller, against)) throw new SluiceError('pipeline-not-found', `no pipeline "${against}"`);
  if (!(body instanceof YamlBody)) return checked(body, asked);
  const { text } = body;
  if (text === null) return { valid: false, errors: [{ path: '', message: 'is not in UTF-8' }] };
  return readYamlApart(text, async (read) => {
    if (read.faults !== null) return { valid: false, errors: read.faults.map((fault) => ({ path: '', ...fault })) };
    const { content = null, placesOf } = read;
    const guarded = guardJson(content);
    const found = guarded === null ? await checked(content, asked) : { valid: false, errors: [{ path: '', message: guarded }] };
    if (found.errors.length === 0) return found;
    const places = await placesOf(found.errors.map(({ path }) => path));
    return { ...found, errors: found.errors.map((fault, i) => ({ ...fault, ...places[i] })) };
  });
}

async function checked(body: unknown, { host, caller, against }: Asked): Promise<Validation> {
  let read: DefinitionBody;
  try {
    read = readDefinitionBody(body);
  } catch (error) {
    return { valid: false, errors: faultsIn(error) };
  }
  const { definition, within } = read;
  if (against === undefined) refuseOthers(caller, definition);
  try {
    return { valid: true, errors: [], ...(await within(() => host.validate(definition, { against, within: caller.pipelines }))) };
  } catch (error) {
    return { valid: false, errors: faultsIn(error) };
  }
}

/** Throws what is no fault of the definition. */
function faultsIn(error: unknown): DefinitionFault[] {
  if (!(error instanceof SluiceError) || !OF_DEFINITIONS.has(error.code)) throw error;
  return error.errors === undefined ? [{ path: '', message: error.message }] : [...error.errors];
}
