import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { EXPOSITION_TYPE } from '../src/http/metrics/exposition.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';

const textSchema = z.string();
const example = [
  '# HELP sluice_items_accepted_total Items that were accepted.',
  '# TYPE sluice_items_accepted_total counter',
  'sluice_items_accepted_total{pipeline="orders"} 356',
  '',
].join('\n');

/** The measurements for Prometheus. */
const metrics: FastifyPluginAsync<RouteDeps> = async (instance, { metrics }) => {
  instance.withTypeProvider<ZodTypes>().get(
    '/metrics',
    {
      config: { quiet: true, scope: 'read', limited: 'filtered', whileStarting: true, everyNode: true },
      schema: {
        tags: ['Service'],
        operationId: 'readMetrics',
        summary: 'Measurements for Prometheus',
        description:
          'In the text format of Prometheus, whatever `Accept` says; answered also while the service starts and shuts down, and while its store has trouble. ' +
          'Counters begin at 0 with the process. A key for some pipelines gets the series of those, and of the limiters that they use. docs/operations.md says what to be alerted of.',
        querystring: noQuery,
        response: { 200: { description: 'One line per series.', content: { [EXPOSITION_TYPE]: { schema: textSchema, example } } } },
      },
    },
    async ({ caller }, response) => {
      response.header('cache-control', 'no-store').type(EXPOSITION_TYPE);
      return metrics.text(caller);
    },
  );
};
export default metrics;
