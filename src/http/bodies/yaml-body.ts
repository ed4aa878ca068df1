import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../engine/ports.ts';
import { wholeBodies } from './whole-body.ts';

/** RFC 9512, and the names that were in use before it. */
const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml', 'text/vnd.yaml'];

/** A body of YAML that nobody has read yet; null if it is not in UTF-8. */
export class YamlBody {
  readonly text: string | null;
  constructor(text: string | null) {
    this.text = text;
  }
}

/** Lets the routes of this instance take YAML: their `body` is then a {@link YamlBody}. */
export function acceptYaml(app: FastifyInstance, clock: Clock): void {
  app.addContentTypeParser(
    YAML_TYPES,
    wholeBodies(clock, (bytes) => (bytes.length === 0 ? undefined : new YamlBody(isUtf8(bytes) ? bytes.toString('utf8') : null))),
  );
}
