import type { FastifyRequest } from 'fastify';
import type { Operator } from '../../engine/index.ts';
import { makerOf } from './caller.ts';

/** The caller as an operator, whose changes are lines `audit` of the log, with the id of the request. */
export function operatorOf(request: FastifyRequest): Operator {
  const by = makerOf(request.caller) ?? null;
  return {
    by,
    note({ change, pipelineId, stage, before, after }) {
      request.log.info({ audit: true, change, by, pipeline: pipelineId, stage, before, after }, 'audit');
    },
  };
}
