import { ask } from './api.ts';
import { pipelines } from './live-data.ts';
import type { PipelineLine } from './types.ts';

/** Reads the list of all pipelines once: what the stream says of them later has neither their stages nor their descriptions. */
export async function loadPipelines(): Promise<void> {
  const { pipelines: found } = await ask<{ pipelines: PipelineLine[] }>('/pipelines', { query: { include: 'overview', limit: 1000 } });
  pipelines.value = found;
}
