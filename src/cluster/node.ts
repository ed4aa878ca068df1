/**
 * A node of a cluster: it follows the log with its own file, or owns, see ownership/. All nodes are equal.
 *
 *     Backbone (log, snapshots, presence) ◀──▶ node ──own──▶ a host on the replicated store, as long as this node owns
 */
import type { ClusterNode, ClusterNodeOptions } from './node/contract.ts';
import { RunningNode } from './node/running-node.ts';

export type { ClusterNode, ClusterNodeOptions, Owned } from './node/contract.ts';

export function createClusterNode(options: ClusterNodeOptions): ClusterNode {
  return new RunningNode(options);
}
