import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { LOG_LEVELS } from '../src/config.ts';
import { unref } from '../src/engine/ports.ts';
import { operatorOf } from '../src/http/guards/operator.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { instantSchema } from '../src/schemas/names.ts';

const levelSchema = z.enum(LOG_LEVELS).meta({ description: 'The least severe level that is logged.' });
const levelBodySchema = z
  .strictObject({
    level: levelSchema,
    forSeconds: z.number().min(1).max(86_400).optional().meta({
      description: 'After this time the level of the start is in force again. Without it, the level stays until the service ends.',
    }),
  })
  .meta({ id: 'LogLevelBody', examples: [{ level: 'debug', forSeconds: 600 }] });
const levelReplySchema = z
  .object({
    level: levelSchema,
    until: instantSchema.nullable().meta({ description: 'When the level of the start is in force again; null for never.' }),
  })
  .meta({ id: 'LogLevel', examples: [{ level: 'debug', until: '2026-11-23T17:44:00.123Z' }] });
type Level = z.infer<typeof levelSchema>;

const tags = ['Service'];

/** The level of the log. */
const logLevel: FastifyPluginAsync<RouteDeps> = async (instance, { clock }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  const { log } = app;
  const atStart = log.level as Level;
  let timer: unknown;
  let until: number | null = null;
  const view = () => ({ level: log.level as Level, until: until === null ? null : new Date(until).toISOString() });

  function back(): void {
    until = null;
    log.level = atStart;
    log.info({ level: atStart }, 'the level of the log is that of the start again');
  }

  app.addHook('onClose', async () => clock.clearTimer(timer));

  app.get(
    '/log-level',
    {
      config: { scope: 'admin', whileStarting: true, everyNode: true },
      schema: {
        tags,
        operationId: 'showLogLevel',
        summary: 'The level of the log',
        description: 'The level in force, and until when.',
        querystring: noQuery,
        response: { 200: reply(levelReplySchema, 'The level.') },
      },
    },
    async () => view(),
  );

  app.put(
    '/log-level',
    {
      config: { scope: 'admin', whileStarting: true, everyNode: true },
      schema: {
        tags,
        operationId: 'setLogLevel',
        summary: 'Change the level of the log',
        description:
          'In force at once. Lines of the audit trail have the level `info`; the change itself is told at whichever level shows more.',
        querystring: noQuery,
        body: levelBodySchema,
        response: { 200: reply(levelReplySchema, 'The level after the change.') },
      },
    },
    async (request) => {
      const { level, forSeconds } = request.body;
      const before = view();
      clock.clearTimer(timer);
      const note = (): void =>
        operatorOf(request).note?.({
          change: 'log-level-changed',
          pipelineId: null,
          stage: null,
          before,
          after: { level, until: view().until },
        });
      until = forSeconds === undefined ? null : clock.now() + forSeconds * 1000;
      if (forSeconds !== undefined) {
        timer = clock.setTimer(back, forSeconds * 1000);
        unref(timer);
      }
      // A level that hides the line is in force after it.
      const isQuieter = LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf('info');
      if (isQuieter) note();
      log.level = level;
      if (!isQuieter) note();
      return view();
    },
  );
};
export default logLevel;
