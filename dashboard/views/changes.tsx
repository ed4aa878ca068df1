import { changeText } from '../parts/change-text.ts';
import { Fault } from '../parts/fault.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { at } from '../parts/words.ts';
import { path } from '../state/api.ts';
import { type FirstRows, firstRows } from '../state/first-rows.ts';
import { detailsOf } from '../state/live-data.ts';
import type { OperatorChange, PipelineDetail } from '../state/types.ts';
import { useRequest } from '../state/use-request.ts';

const MOST = 200;
const readChanges = (url: string, signal: AbortSignal): Promise<FirstRows<OperatorChange>> => firstRows(url, 'changes', MOST, signal);

/** Who did what to the pipeline, the newest first. */
export function Changes({ pipeline: { id } }: { pipeline: PipelineDetail }) {
  const { changes } = detailsOf(id);
  const { data, error } = useRequest(path`/pipelines/${id}/audit`, { on: changes.value, read: readChanges });
  return (
    <>
      <Fault error={error} />
      {data?.rows.length === 0 && (
        <div class="card empty muted">
          {data.goesOn ? 'Nobody has changed anything of late.' : 'Nobody has changed anything, as far back as events are kept.'}
        </div>
      )}
      {data !== undefined && data.rows.length > 0 && (
        <ScrollBox label="Changes">
          <table class="lines">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">Stage</th>
                <th scope="col">Details</th>
              </tr>
            </thead>
            <tbody>
              {data.rows.map(({ at: when, by, action, stage, details }) => (
                <tr key={`${when} ${action} ${stage}`}>
                  <th scope="row" class="nowrap">
                    {at(when, true)}
                  </th>
                  <td>{by ?? <span class="muted">without a key</span>}</td>
                  <td>{action.replaceAll('-', ' ')}</td>
                  <td>{stage ?? ''}</td>
                  <td>
                    <code class="small muted">{changeText(details.before, details.after)}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      )}
    </>
  );
}
