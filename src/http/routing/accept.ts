import type { FastifyRequest } from 'fastify';
import { NDJSON_TYPES } from '../bodies/ndjson-body.ts';

/** How results leave one by one: a line of JSON each, or an event each. */
export type RowForm = 'ndjson' | 'sse';

const TYPES: Readonly<Record<RowForm | 'json', readonly string[]>> = {
  ndjson: NDJSON_TYPES,
  sse: ['text/event-stream'],
  json: ['application/json'],
};

/**
 * The one of `forms` that `Accept` prefers (RFC 9110 section 12.5.1); undefined for one JSON document. A type that is named goes before one that a wildcard
 * covers if the weights are equal, and JSON is what a wildcard means. A client that takes nothing of what there is gets JSON, too.
 */
export function formOf({ headers }: FastifyRequest, forms: readonly RowForm[]): RowForm | undefined {
  const weights = weightsOf(headers.accept ?? '');
  let best: { form: RowForm | 'json'; weight: number; isNamed: boolean } = { form: 'json', ...weigh('json', weights) };
  for (const form of forms) {
    const { weight, isNamed } = weigh(form, weights);
    const isBetter = weight > best.weight || (weight === best.weight && isNamed && (!best.isNamed || best.form === 'json'));
    if (weight > 0 && isBetter) best = { form, weight, isNamed };
  }
  return best.form === 'json' ? undefined : best.form;
}

/** The weight of a form, from 0 (not wanted) to 1: that of the most specific ranges that cover it. */
function weigh(form: RowForm | 'json', weights: ReadonlyMap<string, number>): { weight: number; isNamed: boolean } {
  const types = TYPES[form];
  const named = types.map((type) => weights.get(type)).filter((weight) => weight !== undefined);
  if (named.length > 0) return { weight: Math.max(...named), isNamed: true };
  const family = `${types[0]?.split('/')[0]}/*`;
  return { weight: weights.get(family) ?? weights.get('*/*') ?? 0, isNamed: false };
}

/**
 * The ranges of an `Accept`, or the codings of an `Accept-Encoding`, in lower case, with their weights. Parameters of a type are passed over, as no form has any; what cannot be read as a
 * weight counts as none. A comma in a quoted parameter divides, too: what is left of such a range is none of ours.
 */
export function weightsOf(accept: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    const weight = given !== undefined && /^(0([.]\d{0,3})?|1([.]0{0,3})?)$/.test(given) ? Number(given) : 1;
    weights.set(type, Math.max(weight, weights.get(type) ?? 0));
  }
  return weights;
}
