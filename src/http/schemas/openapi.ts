import { setImmediate } from 'node:timers/promises';
import fastifySwagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import { z } from 'zod';
import type { StreamSchemas } from '../../schemas/messages.ts';
import type { ErrorCode } from '../../schemas/problem.ts';
import type { RouteAccess } from '../guards/auth.ts';
import { PROBLEM_TYPE } from '../problems/problem.ts';
import { foldNull, type Io, type JsonSchema, mapRefs, toJsonSchema } from './json-schema.ts';
import { inherentProblems } from './route-problems.ts';
import { problems, type Reply } from './route-schemas.ts';

/**
 * Serves the description of the API, made from the routes and their schemas. Call it before the routes are registered.
 *
 * All of it at once would hold the event loop for a quarter of a second at the first `GET /openapi.json`.
 *
 * @returns Describes what nobody has asked for by then, one route a turn of the event loop.
 */
export async function describeApi(app: FastifyInstance, version: string): Promise<() => Promise<void>> {
  const components = new Components();
  const operations = new Operations(components);
  app.addHook('onRoute', (route) => operations.add(route));
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.1',
      info: {
        title: 'Sluice',
        version,
        description:
          'Runs items through ordered, observable pipeline stages. Durations are in seconds; instants are RFC 3339 in UTC. If keys are configured, every operation that is not public requires one, and if the requests of a key are limited, every answer says in `RateLimit-Policy` and `RateLimit` how many are left. JSON documents that are read are compressed if `Accept-Encoding` asks for it. If no keys are configured, every operation refuses a request whose `Host` is neither loopback nor listed in `ALLOWED_HOSTS` (421).',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [
        { url: '/', description: 'The service that serves this document.' },
        { url: 'http://127.0.0.1:3000', description: 'A service on this machine, at its default address.' },
      ],
      tags: [
        { name: 'Pipelines', description: 'Create, list and remove pipelines.' },
        { name: 'Control', description: 'Start, pause, drain and stop pipelines.' },
        { name: 'Feeding', description: 'Send items to a pipeline.' },
        { name: 'Feeds', description: 'The items of one request as a group, and waiting for items.' },
        { name: 'Looking', description: 'Statistics, workers, results and items.' },
        { name: 'Events', description: 'Live event streams.' },
        { name: 'Tasks', description: 'The tasks, predicates and hooks that definitions can use.' },
        { name: 'Limiters', description: 'Limits shared by tasks of any stage and pipeline.' },
        { name: 'Service', description: 'The service process: health, identity, shutdown.' },
      ],
    },
    convertConstToEnum: false,
    transform: ({ schema, url, route }) => {
      const described = schema && operations.of(route as RouteOptions);
      return { schema: described ?? { hide: true }, url };
    },
    transformObject: (document) => {
      const { openapiObject } = document as unknown as { openapiObject: Document };
      for (const [path, methods] of Object.entries(openapiObject.paths)) {
        for (const operation of Object.values(methods)) {
          if (operation.operationId !== undefined && components.optionalBodies.has(operation.operationId)) {
            operation.requestBody = { ...operation.requestBody, required: false };
          }
          for (const parameter of operation.parameters ?? []) Object.assign(parameter, components.besideReference(operation, parameter));
          nameInstances(operation, path);
        }
      }
      return {
        ...openapiObject,
        components: { schemas: components.sorted(), securitySchemes: SECURITY },
        security: [{ key: [] }, {}],
      } as never;
    },
  });
  return () => operations.describe();
}

/** Each route is described once, when the document is made or before. */
class Operations {
  private readonly described = new Map<FastifySchema, Map<string, FastifySchema>>();
  private readonly left: RouteOptions[] = [];
  private readonly components: Components;

  constructor(components: Components) {
    this.components = components;
  }

  add(route: RouteOptions): void {
    this.left.push(route);
  }

  async describe(): Promise<void> {
    for (let route = this.left.pop(); route !== undefined; route = this.left.pop()) {
      this.of(route);
      await setImmediate();
    }
  }

  /** undefined: it has no schema. */
  of({ schema, url, method, config = {} }: RouteOptions): FastifySchema | undefined {
    if (schema === undefined) return undefined;
    let bySchema = this.described.get(schema);
    if (bySchema === undefined) {
      bySchema = new Map();
      this.described.set(schema, bySchema);
    }
    const operation = `${String(method)} ${url}`;
    let described = bySchema.get(operation);
    if (described === undefined) {
      const access = config as RouteAccess & { whileStarting?: boolean; everyNode?: boolean };
      const inherent = inherentProblems({ ...access, method, url, takesBody: schema.body !== undefined });
      described = withAccess(this.components.convert(withProblems(schema, inherent)), access);
      bySchema.set(operation, described);
    }
    return described;
  }
}

const OWN = {
  feed: 'or `feed`, for a feed that a key of the same name made',
  items: 'or `feed`, for items of feeds that a key of the same name made',
  feeds: 'or `feed`, which sees the feeds that keys of the same name made',
} as const;

/** The error replies of a route: those that it declares, and those that follow from what it is. */
function withProblems(schema: FastifySchema, inherent: ErrorCode[]): FastifySchema {
  if ((schema as { hide?: boolean }).hide) return schema;
  const replies = (schema.response ?? {}) as Record<string, unknown>;
  const declared = Object.values(replies).flatMap((value) =>
    Object.keys((value as Partial<Reply>).content?.[PROBLEM_TYPE]?.examples ?? {}),
  );
  return { ...schema, response: { ...replies, ...problems(...(declared as ErrorCode[]), ...inherent) } };
}

/** Adds who may call an operation, to its description and as `x-scope`. */
function withAccess(schema: FastifySchema, { scope, own }: RouteAccess): FastifySchema {
  if (scope === undefined) return schema;
  const { description } = schema as { description?: string };
  const needs = scope === 'public' ? 'Needs no key.' : scope === 'any' ? 'Needs a key, of any scope.' : `Needs the scope \`${scope}\``;
  const sentence = needs.endsWith('.') ? needs : `${needs}${own === undefined ? '' : `, ${OWN[own]}`}.`;
  return {
    ...schema,
    description: `${description ?? ''}\n\n${sentence}`,
    ...(scope === 'public' ? { security: [] } : {}),
    'x-scope': scope,
  } as FastifySchema;
}

const SECURITY = {
  key: { type: 'http', scheme: 'bearer', description: 'A key of `API_KEYS`, as `slc_<name>_<secret>`. Needed only where keys are set up.' },
};

/** The parts of a document that are touched here. */
interface Document {
  paths: Record<string, Record<string, Operation>>;
}
interface Operation {
  operationId?: string;
  parameters?: { name: string; in: string; example?: unknown }[];
  requestBody?: object;
  responses: Record<string, { content?: Record<string, { examples?: Record<string, { value: object }> }> }>;
}

/** The examples of problems are the same for all routes but for the address that was asked for. */
function nameInstances({ parameters = [], responses }: Operation, path: string): void {
  const exampleOf = (name: string): unknown => parameters.find((parameter) => parameter.in === 'path' && parameter.name === name)?.example;
  const instance = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(exampleOf(name) ?? name)));
  for (const { content } of Object.values(responses)) {
    for (const example of Object.values(content?.[PROBLEM_TYPE]?.examples ?? {})) example.value = { ...example.value, instance };
  }
}

const isZod = (value: unknown): value is z.ZodType => value instanceof z.ZodType;

/** Schemas with an id, each once. What is read differently than it is written (defaults) has a second one, `<Id>Input`. */
class Components {
  private readonly schemas = new Map<string, JsonSchema>();
  private readonly readDifferently = new Map<string, boolean>();
  /** Operation ids of the requests that may come without a body; @fastify/swagger calls every body required. */
  readonly optionalBodies = new Set<string>();
  /** Descriptions of parameters whose schema is a reference, by operation and name; @fastify/swagger drops all that stands beside one. */
  private readonly descriptions = new Map<string, unknown>();

  convert(schema: FastifySchema): FastifySchema {
    const { body, querystring, params, headers, response, ...rest } = schema;
    const query = querystring === undefined ? undefined : (this.part(querystring, 'input') as JsonSchema);
    for (const [name, { $ref, description }] of Object.entries((query?.properties ?? {}) as Record<string, JsonSchema>)) {
      if ($ref !== undefined && description !== undefined) this.descriptions.set(`${String(rest.operationId)} ${name}`, description);
    }
    if (isZod(body) && body.safeParse(undefined).success) this.optionalBodies.add(String(rest.operationId));
    return {
      ...rest,
      ...(body === undefined ? {} : { body: this.body(body) }),
      ...(query === undefined ? {} : { querystring: query }),
      ...(params === undefined ? {} : { params: this.part(params, 'input') }),
      ...(headers === undefined ? {} : { headers: this.part(headers, 'input') }),
      ...(response === undefined ? {} : { response: this.responses(response as Record<string, unknown>) }),
    } as FastifySchema;
  }

  besideReference({ operationId }: Operation, { name }: { name: string }): { description?: unknown } {
    const description = this.descriptions.get(`${operationId} ${name}`);
    return description === undefined ? {} : { description };
  }

  sorted(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private body(body: unknown): unknown {
    return isZod(body) ? { content: { 'application/json': { schema: this.part(body, 'input') } } } : this.media(body, 'input');
  }

  private responses(response: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(response).map(([status, value]) => [status, isZod(value) ? this.part(value, 'output') : this.media(value, 'output')]),
    );
  }

  private media(value: unknown, io: Io): unknown {
    const { content, ...rest } = value as { content: Record<string, { schema: unknown; stream?: StreamSchemas }> };
    const converted = Object.entries(content).map(([type, { schema, stream, ...more }]) => [
      type,
      { ...more, schema: this.part(schema, io), ...(stream && this.messages(stream)) },
    ]);
    return { ...rest, content: Object.fromEntries(converted) };
  }

  /** OpenAPI 3.2 calls the schema of one message `itemSchema`; in 3.1 only extensions are allowed beside `schema`. */
  private messages({ message, data }: StreamSchemas): object {
    return { 'x-itemSchema': this.part(message, 'output'), 'x-dataSchema': this.part(data, 'output') };
  }

  private part(schema: unknown, io: Io): unknown {
    if (!isZod(schema)) return schema;
    const { root, defs } = toJsonSchema(schema, io);
    const nameOf = (id: string): string => (io === 'input' && this.isReadDifferently(id, schema) ? `${id}Input` : id);
    const ref = (id: string): unknown => ({ $ref: `#/components/schemas/${nameOf(id)}` });
    for (const [id, definition] of Object.entries(defs)) {
      const name = nameOf(id);
      if (!this.schemas.has(name)) this.schemas.set(name, foldNull(mapRefs(definition, ref)) as JsonSchema);
    }
    return foldNull(mapRefs(root, ref));
  }

  /** `holder` is any schema that holds the one with this id. */
  private isReadDifferently(id: string, holder: z.ZodType): boolean {
    let found = this.readDifferently.get(id);
    if (found === undefined) {
      found = differs(id, toJsonSchema(holder, 'input').defs, toJsonSchema(holder, 'output').defs);
      this.readDifferently.set(id, found);
    }
    return found;
  }
}

/** Also when only something that it refers to differs: then its references do. */
function differs(id: string, defs: Record<string, JsonSchema>, other: Record<string, JsonSchema>): boolean {
  const inlined = (from: Record<string, JsonSchema>): string => {
    const inline = (node: unknown): unknown => mapRefs(node, (name) => inline(from[name] ?? {}));
    return JSON.stringify(inline(from[id] ?? {}));
  };
  return inlined(defs) !== inlined(other);
}
