import { Fault } from '../parts/fault.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { ago, count, duration } from '../parts/words.ts';
import { now } from '../state/now.ts';
import { useTitle } from '../state/title.ts';
import type { HandsView, NodeView, ServiceInfo } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';

/** The service itself: its nodes, the hands that work for it, and which runs what. */
export function Nodes() {
  useTitle('Nodes');
  const info = useRequest<ServiceInfo>('/info', { everySeconds: 30 });
  const nodes = useRequest<{ nodes: NodeView[] }>('/nodes', { everySeconds: 2 });
  const hands = useRequest<HandsView>('/hands', { everySeconds: 2 });
  return (
    <>
      <div class="head">
        <h1>Nodes</h1>
        {info.data !== undefined && <p class="muted">{infoWords(info.data)}</p>}
      </div>
      <Fault error={info.error ?? nodes.error ?? hands.error} />
      {nodes.data !== undefined &&
        (nodes.data.nodes.length === 0 ? (
          <p class="note">One process, no cluster.</p>
        ) : (
          <Table label="Nodes" columns={nodeColumns} rows={nodes.data.nodes} keyOf={({ name }) => name} />
        ))}
      <div class="head section">
        <h2>Hands</h2>
        <p class="muted">Processes that make calls for this one</p>
      </div>
      {hands.data !== undefined &&
        (hands.data.hands.length === 0 ? (
          <p class="note">No hand is connected. All tasks run in the service itself.</p>
        ) : (
          <Table label="Hands" columns={handColumns} rows={hands.data.hands} keyOf={({ name }) => name} />
        ))}
      {hands.data !== undefined && hands.data.waiting.length > 0 && (
        <ul class="faults">
          {hands.data.waiting.map(({ task, calls, why }) => (
            <li key={task}>
              <b>{task}</b>: {count(calls)} wait. {why}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function infoWords({ version, uptimeSeconds, role, store, node }: ServiceInfo): string {
  const place = store.isDurable ? store.kind : `${store.kind}, which keeps nothing`;
  return `Sluice ${version} on Node ${node}, up for ${duration(uptimeSeconds)}; ${role === 'single' ? '' : `${role}, `}store: ${place}`;
}

const nodeColumns: readonly Column<NodeView>[] = [
  { name: 'Node', cell: ({ name }) => name },
  { name: 'Role', cell: ({ role }) => (role === 'owner' ? <b>owner: runs the pipelines</b> : 'follower') },
  { name: 'Behind', isNumber: true, cell: ({ lagSeconds }) => duration(lagSeconds) },
  { name: 'Position', isNumber: true, cell: ({ position }) => count(position) },
  { name: 'Hands', isNumber: true, cell: ({ hands }) => count(hands) },
  { name: 'Version', cell: ({ version }) => version },
  { name: 'Address', classOf: () => 'muted', cell: ({ url }) => url },
];

const handColumns: readonly Column<HandsView['hands'][number]>[] = [
  {
    name: 'Hand',
    cell: ({ name, version }) => (
      <>
        {name} <span class="muted small">{version}</span>
      </>
    ),
  },
  {
    name: 'State',
    classOf: ({ fault }) => (fault === null ? '' : 'bad'),
    cell: ({ fault, leaving }) => fault ?? (leaving ? 'leaving' : 'at work'),
  },
  { name: 'Running', isNumber: true, cell: ({ running }) => count(running) },
  { name: 'At most', isNumber: true, cell: ({ capacity }) => count(capacity) },
  { name: 'Connected for', isNumber: true, cell: ({ since }) => ago(since, now.value) },
  {
    name: 'Tasks',
    classOf: () => 'muted',
    cell: ({ tasks }) => (tasks.length > 6 ? `${tasks.slice(0, 6).join(', ')} and ${tasks.length - 6} more` : tasks.join(', ')),
  },
];
