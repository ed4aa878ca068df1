/** The kinds of environment variables: how the text of each is read, and how its type is called in docs/configuration.md. */
import { z } from 'zod';
import { parseRequestRate, RATE_FORM, type RequestRate } from './schemas/request-rate.ts';

function integerWithin(range: string, min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number, ${range}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number, ${range}`);
}

export function integer(min: number, max: number, fallback: number, description: string, type = 'integer') {
  const range = `${min} to ${max}`;
  return integerWithin(range, min, max)
    .default(fallback)
    .meta({ type: `${type}, ${range}`, description });
}

export function optionalInteger(min: number, max: number, description: string) {
  const range = `${min} to ${max}`;
  return integerWithin(range, min, max)
    .optional()
    .meta({ type: `integer, ${range}`, description });
}

export function seconds(min: number, max: number, fallback: number, description: string) {
  const range = `${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,12}([.]\d{1,9})?$/, `must be a number of seconds, ${range}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a number of seconds, ${range}`)
    .default(fallback)
    .meta({ type: `seconds, ${range}`, description });
}

export function optionalRate(description: string) {
  return z
    .string()
    .refine((text) => parseRequestRate(text) !== undefined, RATE_FORM)
    .transform((text) => parseRequestRate(text) as RequestRate)
    .optional()
    .meta({ type: 'requests/seconds', description });
}

export const path = () => z.string().refine((value) => !value.includes('\0'), 'must be a path');
export const flag = () =>
  z.enum(['true', 'false', '1', '0'], 'must be true or false').transform((value) => value === 'true' || value === '1');
