import type { Address } from '../state/address.ts';
import type { PipelineDetail } from '../state/types.ts';
import { Changes } from './changes.tsx';
import { Control } from './control.tsx';
import { Definition } from './definition.tsx';
import { Failures } from './failures.tsx';
import { Feed } from './feed.tsx';
import { Feeds } from './feeds.tsx';
import { Flow } from './flow.tsx';
import { Item } from './item.tsx';
import { Items } from './items.tsx';
import { NoSuchPage } from './no-such-page.tsx';
import { Nodes } from './nodes.tsx';
import { Overview } from './overview.tsx';
import { PipelineFrame } from './pipeline-frame.tsx';

/** The view at an address. */
export function ViewOf({ address }: { address: Address }) {
  switch (address.view) {
    case 'overview':
      return <Overview />;
    case 'nodes':
      return <Nodes />;
    case 'unknown':
      return <NoSuchPage />;
    default:
      return (
        <PipelineFrame key={address.id} address={address}>
          {(pipeline) => <PipelineViewOf address={address} pipeline={pipeline} />}
        </PipelineFrame>
      );
  }
}

function PipelineViewOf({ address: { view, part }, pipeline }: { address: Address; pipeline: PipelineDetail }) {
  switch (view) {
    case 'flow':
      return <Flow pipeline={pipeline} />;
    case 'feeds':
      return <Feeds pipeline={pipeline} />;
    case 'feed':
      return <Feed key={part} pipeline={pipeline} feedId={part} />;
    case 'failures':
      return <Failures pipeline={pipeline} />;
    case 'items':
      return <Items pipeline={pipeline} />;
    case 'item':
      return <Item key={part} pipeline={pipeline} itemId={part} />;
    case 'control':
      return <Control pipeline={pipeline} />;
    case 'definition':
      return <Definition pipeline={pipeline} />;
    case 'changes':
      return <Changes pipeline={pipeline} />;
    default:
      return null;
  }
}
