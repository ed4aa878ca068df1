/**
 * Names of OpenTelemetry's semantic conventions 1.44 for messaging, whose spans `send` and `process` ours are:
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.44.0/docs/messaging/messaging-spans.md
 *
 * They are in development there, so they stand here by hand, in the version that the documentation names, and change with a change of ours.
 */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.44.0';
export const SYSTEM = 'sluice';

export const ATTRIBUTES = {
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  client: 'messaging.client.id',
  messageId: 'messaging.message.id',
  messageCount: 'messaging.batch.message_count',
  errorType: 'error.type',
  // What only this system has goes into a namespace of its own.
  pipeline: 'messaging.sluice.pipeline',
  stage: 'messaging.sluice.stage',
  feedId: 'messaging.sluice.feed.id',
  duplicates: 'messaging.sluice.feed.duplicates',
  attempt: 'messaging.sluice.attempt',
  outcome: 'messaging.sluice.outcome',
} as const;
