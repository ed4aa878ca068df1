import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { Confirm } from '../parts/confirm.tsx';
import { Fault } from '../parts/fault.tsx';
import { count, plural } from '../parts/words.ts';
import { ask, path } from '../state/api.ts';
import { definitionText } from '../state/definition-text.ts';
import { may } from '../state/session.ts';
import type { MovedItems, PipelineDetail, StageChange, Validation } from '../state/types.ts';

/** It is checked when the typing rests. */
const REST_MS = 350;

/** The definition as YAML: checked as one types, with what a change would do before it is made. */
export function Definition({ pipeline }: { pipeline: PipelineDetail }) {
  const { id, definition, definitionSource, fileDiffers, secrets } = pipeline;
  const original = useComputed(() => definitionText(definition));
  const text = useSignal<string | null>(null);
  /** What was said of a text. It goes for that text alone, and not for what has been typed since. */
  const check = useSignal<{ of: string; result: Validation } | null>(null);
  const fault = useSignal<Error | null>(null);
  const isAsked = useSignal(false);
  const done = useSignal<string | null>(null);
  const field = useId();
  const typed = text.value;
  useEffect(() => {
    if (typed === null) return;
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const result = await ask<Validation>('/pipelines/validate', {
          ...{ method: 'POST', query: { against: id }, text: typed, type: 'application/yaml', signal: controller.signal },
        });
        check.value = { of: typed, result };
        fault.value = null;
      } catch (thrown) {
        if (!controller.signal.aborted) fault.value = thrown as Error;
      }
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [typed, id, check, fault]);
  const result = check.value !== null && check.value.of === typed ? check.value.result : null;
  const put = async (): Promise<void> => {
    isAsked.value = false;
    try {
      fault.value = null;
      const outcome = await ask<Outcome>(path`/pipelines/${id}`, {
        method: 'PUT',
        body: result?.definition,
      });
      done.value = `Applied: ${effect(outcome)}`;
      text.value = null;
    } catch (thrown) {
      fault.value = thrown as Error;
    }
  };
  const mayChange = may('admin');
  return (
    <div class="definition">
      <div class="card editor">
        <div class="head">
          <h2>
            <label for={field}>Definition</label>
          </h2>
          <p class="muted small">
            {definitionSource === 'file' ? `from a file${fileDiffers ? ', changed since over the API' : ''}` : 'from the API'}
          </p>
          {typed !== null && (
            <div class="actions">
              <button type="button" onClick={() => (text.value = null)}>
                Discard
              </button>
              <button type="button" class="primary" disabled={result?.valid !== true} onClick={() => (isAsked.value = true)}>
                Apply…
              </button>
            </div>
          )}
        </div>
        <textarea
          id={field}
          class="mono"
          rows={Math.min(36, Math.max(12, (typed ?? original.value).split('\n').length + 1))}
          spellcheck={false}
          readOnly={!mayChange}
          value={typed ?? original.value}
          onInput={({ currentTarget }) => {
            done.value = null;
            fault.value = null;
            text.value = currentTarget.value;
          }}
        />
      </div>
      <aside class="card" aria-label="Check">
        <h2>
          {typed === null
            ? 'As it is in force'
            : result === null
              ? fault.value === null
                ? 'Checking…'
                : 'Not checked'
              : result.valid
                ? 'Valid'
                : plural(result.errors.length, 'fault')}
        </h2>
        {done.value !== null && <p role="status">{done.value}</p>}
        <div aria-live="polite">
          {typed === null && done.value === null && (
            <p class="muted">
              {mayChange
                ? 'Change it here. It is checked as you type, and nothing happens before you apply it.'
                : 'Your key may look at it, and not change it.'}
            </p>
          )}
          {result !== null && !result.valid && (
            <ul class="faults">
              {result.errors.map(({ path: place, message, line, column }) => (
                <li key={`${place} ${message}`}>
                  {line !== undefined && (
                    <b>
                      Line {line}
                      {column !== undefined && `, column ${column}`}:{' '}
                    </b>
                  )}
                  <code>{place === '' ? '/' : place}</code> {message}
                </li>
              ))}
            </ul>
          )}
          {result?.valid && <Effects of={result} />}
        </div>
        <Fault error={fault.value} />
        {secrets.length > 0 && (
          <p class="muted small">
            Secrets that it names: <code>{secrets.join(', ')}</code>
          </p>
        )}
      </aside>
      {isAsked.value && result !== null && (
        <Confirm title={`Change ${id}?`} verb="Apply" confirm={() => void put()} close={() => (isAsked.value = false)}>
          <Effects of={result} />
        </Confirm>
      )}
    </div>
  );
}

/** The effect of a definition, as it was or would be put. */
type Outcome = Pick<Validation, 'changes' | 'changedFields' | 'moved'>;

function Effects({ of }: { of: Outcome }) {
  const lines = linesOf(of);
  if (lines.length === 0) return <p>Nothing would change.</p>;
  return (
    <ul class="faults">
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}

function effect(of: Outcome): string {
  return `${linesOf(of).join('; ') || 'nothing has changed'}.`;
}

function linesOf({ changes = [], changedFields = [], moved = [] }: Outcome): string[] {
  const own = changedFields.length === 0 ? [] : [`the pipeline: ${changedFields.join(', ')}`];
  return [...own, ...changes.map(changeWords), ...moved.map(moveWords)];
}

function changeWords({ stage, change, from, fields }: StageChange): string {
  if (change === 'renamed') return `${from} is called ${stage}`;
  if (change === 'reordered') return `${stage} has another place`;
  if (change === 'changed') return `${stage}: ${fields?.join(', ')}`;
  return `${stage} is ${change}`;
}

function moveWords({ from, to, items, running }: MovedItems): string {
  const later = running > 0 ? `, and ${count(running)} that run once they have finished` : '';
  return to === null
    ? `${plural(items, 'item')} of ${from} are completed${later}`
    : `${plural(items, 'item')} go from ${from} to ${to}${later}`;
}
