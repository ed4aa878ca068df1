import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Fault } from '../parts/fault.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { type Address, linkTo, type PipelineView } from '../state/address.ts';
import { path } from '../state/api.ts';
import { follow } from '../state/live.ts';
import { detailsOf, dropDetails } from '../state/live-data.ts';
import { useTitle } from '../state/title.ts';
import type { PipelineDetail } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';
import { PauseButton } from './pause-button.tsx';

const TABS: readonly [PipelineView, string][] = [
  ['flow', 'Flow'],
  ['feeds', 'Feeds'],
  ['failures', 'Failures'],
  ['items', 'Items'],
  ['control', 'Control'],
  ['definition', 'Definition'],
  ['changes', 'Changes'],
];

/** What surrounds every view of one pipeline: its name, its state, and the way to the others. */
export function PipelineFrame({ address, children }: { address: Address; children: (pipeline: PipelineDetail) => ComponentChildren }) {
  const { id, view } = address;
  const details = detailsOf(id);
  useEffect(() => {
    const leave = follow(id);
    return () => {
      leave();
      dropDetails(id);
    };
  }, [id]);
  const { data, error, again } = useRequest<PipelineDetail>(path`/pipelines/${id}`, { on: details.changes.value });
  const tab: PipelineView = view === 'feed' ? 'feeds' : view === 'item' ? 'items' : (view as PipelineView);
  const name = TABS.find(([one]) => one === tab)?.[1] ?? '';
  useTitle(`${id}: ${name}`);
  const state = details.stats.value?.state ?? data?.state;
  return (
    <>
      <div class="head pipeline-head">
        <h1>{id}</h1>
        {state !== undefined && <StateMark state={state} why={data?.stateReason ?? undefined} />}
        {data?.definition.description && <p class="muted">{data.definition.description}</p>}
        <div class="actions">{state !== undefined && <PauseButton id={id} state={state} done={again} />}</div>
      </div>
      <nav class="tabs" aria-label={`Pipeline ${id}`}>
        {TABS.map(([one, label]) => (
          <a key={one} href={linkTo(id, one)} aria-current={one === tab ? 'page' : undefined} ref={one === tab ? intoSight : null}>
            {label}
          </a>
        ))}
      </nav>
      <Fault error={error} />
      {data !== undefined && children(data)}
    </>
  );
}

/** On a narrow screen the tabs are wider than that. */
function intoSight(element: HTMLElement | null): void {
  element?.scrollIntoView({ inline: 'nearest', block: 'nearest' });
}
