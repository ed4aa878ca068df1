import { Fault } from '../parts/fault.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
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
        (nodes.data.nodes.length === 0 ? <p class="note">One process, no cluster.</p> : <NodeTable nodes={nodes.data.nodes} />)}
      <div class="head section">
        <h2>Hands</h2>
        <p class="muted">Processes that make calls for this one</p>
      </div>
      {hands.data !== undefined &&
        (hands.data.hands.length === 0 ? (
          <p class="note">No hand is connected. All tasks run in the service itself.</p>
        ) : (
          <HandTable hands={hands.data.hands} />
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

function NodeTable({ nodes }: { nodes: readonly NodeView[] }) {
  return (
    <ScrollBox label="Nodes">
      <table class="lines">
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Role</th>
            <th scope="col" class="number">
              Behind
            </th>
            <th scope="col" class="number">
              Position
            </th>
            <th scope="col" class="number">
              Hands
            </th>
            <th scope="col">Version</th>
            <th scope="col">Address</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map(({ name, url, role, position, lagSeconds, hands, version }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{role === 'owner' ? <b>owner: runs the pipelines</b> : 'follower'}</td>
              <td class="number">{duration(lagSeconds)}</td>
              <td class="number">{count(position)}</td>
              <td class="number">{count(hands)}</td>
              <td>{version}</td>
              <td class="muted">{url}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

function HandTable({ hands }: { hands: HandsView['hands'] }) {
  return (
    <ScrollBox label="Hands">
      <table class="lines">
        <thead>
          <tr>
            <th scope="col">Hand</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Running
            </th>
            <th scope="col" class="number">
              At most
            </th>
            <th scope="col" class="number">
              Connected for
            </th>
            <th scope="col">Tasks</th>
          </tr>
        </thead>
        <tbody>
          {hands.map(({ name, leaving, fault, running, capacity, since, tasks, version }) => (
            <tr key={name}>
              <th scope="row">
                {name} <span class="muted small">{version}</span>
              </th>
              <td class={fault === null ? '' : 'bad'}>{fault ?? (leaving ? 'leaving' : 'at work')}</td>
              <td class="number">{count(running)}</td>
              <td class="number">{count(capacity)}</td>
              <td class="number">{ago(since, now.value)}</td>
              <td class="muted">{tasks.length > 6 ? `${tasks.slice(0, 6).join(', ')} and ${tasks.length - 6} more` : tasks.join(', ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
