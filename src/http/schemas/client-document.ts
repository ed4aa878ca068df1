import { PROBLEM_TYPE } from '../problems/problem.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Makes the narrow document that client generators read from the whole one. Generators have one type for a body, so an operation here has one:
 * JSON. What is left out still works; it is only not described.
 *
 * - Bodies are JSON; a body that can only be empty is left out.
 * - Replies are JSON or a problem. The two event streams are the one exception: their schema is the data of one message, which is how generators
 *   with a client for such streams read it; `x-itemSchema` is the whole message.
 * - Operations that can only answer with something else are left out.
 * - Parameters that ask for another form (`x-form`) are left out.
 * - There is no relative address of a server: generators put it before the path of every request.
 * - There are no examples of bodies, and no components that nothing refers to.
 */
export function clientDocument(whole: ApiDocument): ApiDocument {
  const paths: ApiDocument['paths'] = {};
  for (const [path, operations] of Object.entries(whole.paths)) {
    const kept = Object.entries(operations).filter(([, operation]) => canAnswer(operation));
    if (kept.length > 0) paths[path] = Object.fromEntries(kept.map(([method, operation]) => [method, narrow(operation, whole)]));
  }
  const schemas = reachable(paths, whole.components.schemas);
  const description = `${String(whole.info.description)} This is the narrow document for client generators; \`/openapi.json\` is the whole one.`;
  const servers = whole.servers.filter(({ url }) => /^https?:/.test(url));
  return { ...whole, servers, info: { ...whole.info, description }, paths, components: { ...whole.components, schemas } };
}

/** The parts of a document that are touched here. */
export interface ApiDocument {
  servers: { url: string }[];
  info: Record<string, unknown>;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonSchema> };
}
interface Operation {
  parameters?: { [keyword: string]: unknown }[];
  requestBody?: { content: Content };
  responses: Record<string, { content?: Content }>;
}
type Content = Record<string, { schema: JsonSchema; 'x-dataSchema'?: JsonSchema; 'x-itemSchema'?: JsonSchema }>;

const JSON_TYPE = 'application/json';
const SSE_TYPE = 'text/event-stream';

/** Whether a success can be told in JSON, by messages, or without a body. */
function canAnswer({ responses }: Operation): boolean {
  return Object.entries(responses).some(
    ([status, { content }]) => status < '300' && (content === undefined || JSON_TYPE in content || SSE_TYPE in content),
  );
}

function narrow(operation: Operation, { components }: ApiDocument): Operation {
  const { requestBody, parameters, responses, ...rest } = operation;
  const body = requestBody?.content[JSON_TYPE]?.schema;
  const kept = parameters?.filter((parameter) => !('x-form' in (parameter.schema as JsonSchema)));
  return {
    ...rest,
    ...(kept && { parameters: kept }),
    ...(body !== undefined &&
      !isEmpty(body, components.schemas) && { requestBody: { ...requestBody, content: { [JSON_TYPE]: { schema: body } } } }),
    responses: Object.fromEntries(Object.entries(responses).map(([status, reply]) => [status, withOneForm(reply)])),
  };
}

function withOneForm<R extends { content?: Content }>({ content, ...rest }: R): R | Omit<R, 'content'> {
  if (content === undefined) return rest;
  const type = [JSON_TYPE, PROBLEM_TYPE, SSE_TYPE].find((one) => one in content);
  const media = type === undefined ? undefined : content[type];
  if (type === undefined || media === undefined) return rest;
  const { schema, 'x-dataSchema': data, 'x-itemSchema': message } = media;
  return { ...rest, content: { [type]: { schema: data ?? schema, ...(message && { 'x-itemSchema': message }) } } };
}

/** Whether nothing can be sent in a body. */
function isEmpty(schema: JsonSchema, schemas: Record<string, JsonSchema>): boolean {
  const { type, properties = {}, additionalProperties } = resolve(schema, schemas);
  return type === 'object' && additionalProperties === false && Object.keys(properties as object).length === 0;
}

const COMPONENT = '#/components/schemas/';

function resolve(schema: JsonSchema, schemas: Record<string, JsonSchema>): JsonSchema {
  return typeof schema.$ref === 'string' ? (schemas[schema.$ref.slice(COMPONENT.length)] ?? {}) : schema;
}

/** The components that are referred to, in the order in which they stand. */
function reachable(from: unknown, schemas: Record<string, JsonSchema>): Record<string, JsonSchema> {
  const found = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key !== '$ref') {
        visit(value);
        continue;
      }
      const name = String(value).slice(COMPONENT.length);
      if (found.has(name)) continue;
      found.add(name);
      visit(schemas[name]);
    }
  };
  visit(from);
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => found.has(name)));
}
