/** The messages of event streams, and the lines of streamed answers, as clients receive them. They describe; nothing is validated with them. */
import { z } from 'zod';
import { feedEventSchema, feedExample, feedViewSchema } from './feed.ts';
import { pipelineEventSchema, resultExample, resultSchema, statusEventSchema, taskEventSchema } from './item.ts';
import { eventIdSchema } from './names.ts';
import { overviewEventSchema } from './overview.ts';
import { problemSchema } from './problem.ts';
import { errorSummarySchema, snapshotSchema } from './stats.ts';
import { statsEventSchema } from './stats-event.ts';

export const gapEventSchema = z
  .object({
    missed: z.int().nullable().meta({
      description:
        'Number of events, of whatever type, that are no longer kept; null if the id that the reader came with is not known, so that they cannot be counted.',
    }),
    oldest: eventIdSchema.meta({ description: 'The id of the event from which the stream continues.' }),
  })
  .meta({ id: 'GapEvent', examples: [{ missed: 120, oldest: 'mf3k2x1a-4711' }] });

export const byeEventSchema = z
  .strictObject({})
  .meta({ id: 'ByeEvent', description: 'The last event of a stream that ends with the service or the pipeline.', examples: [{}] });

/** The data of the events that have an id, by name. */
const SEQUENCE = {
  status: statusEventSchema,
  task: taskEventSchema,
  result: resultSchema,
  pipeline: pipelineEventSchema,
  feed: feedEventSchema,
};
/** The data of the events that have none, by name. An event that is not here cannot be sent, and one that is here is documented. */
const CONTROL = { snapshot: snapshotSchema, stats: statsEventSchema, gap: gapEventSchema, bye: byeEventSchema };
/** The stream of all pipelines has one more. */
const ANY_CONTROL = { ...CONTROL, overview: overviewEventSchema };
/** The data of the messages of a run, by name. */
const RUN = {
  result: resultSchema,
  summary: z
    .object({
      feedId: z.string(),
      duplicates: z
        .int()
        .meta({ description: 'Items not accepted because their id was already known; their results are among the others.' }),
      errorSummary: errorSummarySchema,
    })
    .meta({ id: 'RunSummary' }),
  pending: feedViewSchema,
  problem: problemSchema,
};

export type SequenceEventName = keyof typeof SEQUENCE;
export type ControlEventName = keyof typeof ANY_CONTROL;
/** The data of the messages of a feed's results while it is followed, by name. */
const FOLLOWED = { result: resultSchema, feed: feedViewSchema, problem: problemSchema };
export type RunEventName = keyof typeof RUN;
export type FollowedEventName = keyof typeof FOLLOWED;

type Data = Readonly<Record<string, z.ZodType>>;

/** The messages of a stream, told apart by `event`, and their data alone. */
export interface StreamSchemas {
  message: z.ZodType;
  data: z.ZodType;
}

function streamOf(prefix: string, about: string, { sequence = {}, control }: { sequence?: Data; control: Data }): StreamSchemas {
  const titled = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
  const idOf = (name: string): string => `${prefix}${titled(name)}Message`;
  const message = (name: string, data: z.ZodType, id: { id?: z.ZodType }) =>
    z.object({ ...id, event: z.literal(name), data }).meta({ id: idOf(name) });
  const names = [...Object.keys(sequence), ...Object.keys(control)];
  const messages = [
    ...Object.entries(sequence).map(([name, data]) => message(name, data, { id: eventIdSchema })),
    ...Object.entries(control).map(([name, data]) => message(name, data, {})),
  ] as [ReturnType<typeof message>, ...ReturnType<typeof message>[]];
  const kind = prefix === 'Run' ? 'Run' : `${prefix}Event`;
  return {
    message: z.discriminatedUnion('event', messages).meta({
      id: `${kind}Message`,
      description: `One message of ${about}, with its \`data\` parsed.`,
      discriminator: {
        propertyName: 'event',
        mapping: Object.fromEntries(names.map((name) => [name, `#/components/schemas/${idOf(name)}`])),
      },
    }),
    data: z
      .union([...Object.values(sequence), ...Object.values(control)])
      .meta({ id: `${kind}Data`, description: `The data of one message of ${about}.` }),
  };
}

/** In the stream of all pipelines each datum names its pipeline; some do in any stream. */
const named = (data: z.ZodType) => z.intersection(data, z.object({ pipelineId: z.string() }));

export const eventStream = streamOf('', 'the event stream of a pipeline', { sequence: SEQUENCE, control: CONTROL });
export const anyEventStream = streamOf('Any', 'the event stream of all pipelines', {
  sequence: { ...SEQUENCE, status: named(SEQUENCE.status), task: named(SEQUENCE.task), result: named(SEQUENCE.result) },
  control: { ...ANY_CONTROL, snapshot: named(CONTROL.snapshot), stats: named(CONTROL.stats) },
});
export const feedResultStream = streamOf('FeedResult', 'the results of a feed that is followed as an event stream', { control: FOLLOWED });
export const runStream = streamOf('Run', 'a run that is answered as an event stream', { control: RUN });

const problemLine = z
  .object({ problem: RUN.problem })
  .meta({ id: 'ProblemLine', description: 'The last line of an answer that an error ended after it had begun.' });
const summaryLine = z
  .object({ summary: RUN.summary })
  .meta({ id: 'RunSummaryLine', description: 'The last line of a run with duplicates, once every item has ended.' });
const pendingLine = z
  .object({ pending: RUN.pending })
  .meta({ id: 'RunPendingLine', description: 'The last line of a run whose time is up: the feed as it is then.' });

export const runLineSchema = z.union([resultSchema, summaryLine, pendingLine, problemLine]).meta({
  id: 'RunLine',
  description: 'One line of a run that is answered as NDJSON: a result, or what ends it.',
  examples: [resultExample, { pending: feedExample }],
});
export const feedResultLineSchema = z.union([resultSchema, problemLine]).meta({
  id: 'FeedResultLine',
  description: 'One line of the results of a feed: a result, or, while the feed is followed, the problem that ended the answer.',
  examples: [resultExample],
});
