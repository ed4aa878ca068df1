import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** A JSON Schema, as far as the generators look at it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  pattern?: string;
  default?: unknown;
  examples?: unknown[];
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: Schema;
}

export interface Operation {
  /** `POST /pipelines/{id}/feed`. */
  name: string;
  method: string;
  path: string;
  parameters: readonly Parameter[];
  /** By media type; null when it takes no body. */
  body: Readonly<Record<string, Schema>> | null;
  replies: Readonly<Record<string, { content?: Record<string, { schema: object }> }>>;
}

export interface ApiDocument {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, Schema> };
}

interface Described {
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Operation['replies'];
}

export function operationsOf(document: ApiDocument): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Described>).map(([method, { parameters = [], requestBody, responses }]): Operation => {
      const content = requestBody && Object.entries(requestBody.content).map(([type, { schema }]) => [type, schema] as const);
      const verb = method.toUpperCase();
      return {
        name: `${verb} ${path}`,
        method: verb,
        path,
        parameters,
        body: content === undefined ? null : Object.fromEntries(content),
        replies: responses,
      };
    }),
  );
}

/** What is wrong with a reply of the operation; null when it is as the document says. */
export type ReplyCheck = (operation: Operation, status: number, type: string, body: unknown) => string | null;

export function createReplyCheck(document: ApiDocument): ReplyCheck {
  const ajv = new Ajv2020({ strict: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema(document as object, 'openapi');
  const validators = new Map<string, ValidateFunction>();
  return (operation, status, type, body) => {
    const media = operation.replies[String(status)]?.content?.[type];
    if (media === undefined) return `${status} ${type} is not documented`;
    const key = `${operation.name} ${status} ${type}`;
    let validate = validators.get(key);
    if (validate === undefined) {
      validate = ajv.compile(JSON.parse(JSON.stringify(media.schema).replaceAll('"#/components/', '"openapi#/components/')));
      validators.set(key, validate);
    }
    return validate(body) ? null : ajv.errorsText(validate.errors);
  };
}
