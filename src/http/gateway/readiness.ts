import { type PipelineHost, SluiceError } from '../../engine/index.ts';
import { notReady, type Start, troubleOf } from '../guards/starting.ts';
import { type ClusterView, NOT_INFORMED, NOT_SERVING } from './cluster-view.ts';

/** Why the service, or this node of a cluster, is not ready for work, as `GET /readyz` answers it; null when it is. */
export function unreadiness(start: Start, host: PipelineHost, cluster: ClusterView | null): SluiceError | null {
  if (host.shuttingDown) return new SluiceError('shutting-down');
  const trouble = troubleOf(start, host);
  if (trouble !== null) return new SluiceError('store-unavailable', `the store is not writable: ${trouble}`, { retryAfterSeconds: 5 });
  if (!start.isOver) return notReady(start, host);
  if (cluster === null) return null;
  if (!cluster.isInformed) return new SluiceError('no-owner', NOT_INFORMED);
  return cluster.role === 'owner' && !cluster.isServing ? new SluiceError('no-owner', NOT_SERVING) : null;
}
