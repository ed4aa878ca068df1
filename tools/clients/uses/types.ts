/** What the types of each generator are called and say. This file is only compiled. */
import type * as hey from '../generated/hey-api/index.ts';
import type { components, paths } from '../generated/openapi-typescript.ts';
import type * as orval from '../generated/orval/client.schemas.ts';
import type { components as wholeComponents } from '../generated/whole.ts';

type Schemas = components['schemas'];
type WholeSchemas = wholeComponents['schemas'];

/** `any` is the same as nothing else. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Status = 'queued' | 'in_progress' | 'completed' | 'failed' | 'retrying' | 'skipped' | 'cancelled';
type EventName = 'status' | 'task' | 'result' | 'pipeline' | 'feed' | 'snapshot' | 'stats' | 'gap' | 'bye';
/** The data of the messages of one name. */
type DataOf<M extends { event: string; data: unknown }, E extends string> = M extends { event: E } ? M['data'] : never;

export const all: true[] = [
  // A value is `unknown`, not `{}` and not `any`.
  true satisfies Same<Schemas['ItemResult']['value'], unknown>,
  true satisfies Same<hey.ItemResult['value'], unknown>,
  true satisfies Same<orval.ItemResult['value'], unknown>,
  // An item can be anything.
  true satisfies Same<Schemas['FeedBody']['items'], unknown[]>,
  true satisfies Same<hey.FeedBody['items'], unknown[]>,
  true satisfies Same<orval.FeedBody['items'], unknown[]>,
  // Nullable is nullable, and no more.
  true satisfies Same<Schemas['Feed']['etaSeconds'], number | null>,
  true satisfies Same<hey.Feed['etaSeconds'], number | null>,
  true satisfies Same<orval.Feed['etaSeconds'], number | null>,
  true satisfies Same<Schemas['ItemResult']['error'], Schemas['ItemError'] | null>,
  true satisfies Same<hey.ItemResult['error'], hey.ItemError | null>,
  true satisfies Same<orval.ItemResult['error'], orval.ItemError | null>,
  // Names are those of the documentation.
  true satisfies Same<Schemas['ItemStatus'], Status>,
  true satisfies Same<hey.ItemStatus, Status>,
  true satisfies Same<orval.ItemStatus, Status>,
  true satisfies Same<Schemas['Pipeline']['state'], Schemas['PipelineState']>,
  true satisfies Same<hey.Pipeline['state'], hey.PipelineState>,
  true satisfies Same<orval.Pipeline['state'], orval.PipelineState>,
  // A problem has its own fields, and others.
  true satisfies Same<Schemas['Problem']['code'], string>,
  true satisfies Same<hey.Problem['code'], string>,
  true satisfies Same<orval.Problem['code'], string>,
  true satisfies Same<hey.Problem['anything'], unknown>,
  // Lists of filters are lists.
  true satisfies Same<NonNullable<NonNullable<paths['/pipelines/{id}/items']['get']['parameters']['query']>['status']>, Status[]>,
  true satisfies Same<NonNullable<NonNullable<hey.ListItemsData['query']>['status']>, Status[]>,
  true satisfies Same<NonNullable<orval.ListItemsParams['status']>, Status[]>,
  // Messages are told apart by their names, in both streams.
  true satisfies Same<Schemas['EventMessage']['event'], EventName>,
  true satisfies Same<hey.EventMessage['event'], EventName>,
  true satisfies Same<orval.EventMessage['event'], EventName>,
  true satisfies Same<DataOf<Schemas['EventMessage'], 'gap'>, Schemas['GapEvent']>,
  true satisfies Same<DataOf<hey.EventMessage, 'gap'>['missed'], number | null>,
  true satisfies Same<DataOf<orval.EventMessage, 'gap'>, orval.GapEvent>,
  true satisfies Same<DataOf<Schemas['AnyEventMessage'], 'status'>['pipelineId'], string>,
  true satisfies Same<DataOf<hey.AnyEventMessage, 'status'>['pipelineId'], string>,
  true satisfies Same<DataOf<orval.AnyEventMessage, 'status'>['pipelineId'], string>,
  true satisfies Same<Schemas['AnyEventMessage']['event'], EventName | 'overview'>,
  true satisfies Same<DataOf<Schemas['AnyEventMessage'], 'overview'>, Schemas['OverviewEvent']>,
  true satisfies Same<DataOf<hey.AnyEventMessage, 'overview'>['asOf'], string>,
  true satisfies Same<DataOf<orval.AnyEventMessage, 'overview'>, orval.OverviewEvent>,
  // The whole document has the streams of a run, too.
  true satisfies Same<WholeSchemas['RunMessage']['event'], 'result' | 'summary' | 'pending' | 'problem'>,
  true satisfies Same<DataOf<WholeSchemas['RunMessage'], 'pending'>, WholeSchemas['Feed']>,
];
