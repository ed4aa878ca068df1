import type { Logger } from '../../engine/ports.ts';
import { plainError } from '../../schemas/thrown.ts';
import { type FromHand, shortText } from './protocol.ts';

/** Fields that take more characters are left out. */
const FIELDS_MAX = 65_536;

/** A logger whose lines go to the owner, whose log they stand in: it knows the secrets that must not be shown. */
export function handLogger(send: (line: Extract<FromHand, { t: 'log' }>) => void): Logger {
  const log = (level: keyof Logger) => (fields: object, text: string) =>
    send({ t: 'log', level, fields: plainFields(fields), text: shortText(text) });
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

/** A field that JSON does not have costs the fields, never the task. */
function plainFields(fields: object): Record<string, unknown> {
  try {
    const text = JSON.stringify(fields, (_name, value: unknown) => (value instanceof Error ? shownError(value) : value));
    return text.length > FIELDS_MAX ? {} : (JSON.parse(text) as Record<string, unknown>);
  } catch {
    return {};
  }
}

/** As pino writes errors. */
function shownError(error: Error): object {
  const { name, message, stack, told } = plainError(error);
  return { type: name, message, stack, ...told };
}
