import { useComputed, useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { jsonText } from '../../src/client/index.ts';
import { Fault } from '../parts/fault.tsx';
import { bytes, count, plural } from '../parts/words.ts';
import { goTo, linkTo } from '../state/address.ts';
import { client } from '../state/download.ts';
import { type ParsedItems, parseItems } from '../state/parse-items.ts';
import type { PipelineDetail } from '../state/types.ts';

/** A text area shows so much; a larger file is named and not shown. */
const SHOWN_CHARACTERS = 200_000;

interface Source {
  name: string | null;
  text: string;
}

/** Takes items: pasted, typed, or a file that is dropped. They are parsed here, and what they are is said before anything is sent. */
export function FeedForm({ pipeline: { id, definition }, done }: { pipeline: PipelineDetail; done: () => void }) {
  const source = useSignal<Source>({ name: null, text: '' });
  const isOver = useSignal(false);
  // Null until somebody has chosen: then it is as what is pasted says.
  const feedId = useSignal<string | null>(null);
  const stage = useSignal<string | null>(null);
  const priority = useSignal<string | null>(null);
  const sent = useSignal<number | null>(null);
  const fault = useSignal<Error | null>(null);
  const fieldId = useId();
  const parsed = useComputed<ParsedItems | Error>(() => {
    try {
      return parseItems(source.value.text);
    } catch (error) {
      return error as Error;
    }
  });
  const take = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    source.value = { name: file.name, text: await file.text() };
  };
  const items = parsed.value instanceof Error ? null : parsed.value;
  const { name, text } = source.value;
  const { options = {}, left = [] } = items ?? {};
  const shown = {
    feedId: feedId.value ?? options.feedId ?? name?.replaceAll(/[^A-Za-z0-9._~:@-]/g, '-').slice(0, 128) ?? '',
    stage: stage.value ?? options.targetStage ?? '',
    priority: priority.value ?? String(options.priority ?? ''),
  };
  const first = definition.stages[0]?.name ?? '';
  const isReady = items !== null && items.lines.length > 0 && sent.value === null;
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (items === null || !isReady) return;
    fault.value = null;
    sent.value = 0;
    try {
      const outcome = await client().feed(id, () => items.lines.map(jsonText), {
        ...(shown.feedId !== '' && { feedId: shown.feedId }),
        ...(shown.stage !== '' && shown.stage !== first && { targetStage: shown.stage }),
        ...(shown.priority !== '' && { priority: Number(shown.priority) }),
        ...(options.onDuplicate !== undefined && { onDuplicate: options.onDuplicate }),
        onProgress: (progress) => {
          sent.value = progress.sent;
        },
      });
      source.value = { name: null, text: '' };
      feedId.value = null;
      done();
      goTo(linkTo(id, 'feeds', outcome.feedId));
    } catch (error) {
      fault.value = error as Error;
    } finally {
      sent.value = null;
    }
  };
  return (
    <form
      class="card feed-form"
      data-over={isOver.value ? '' : undefined}
      onSubmit={(event) => void submit(event)}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => {
        isOver.value = false;
      }}
      onDrop={(event) => {
        event.preventDefault();
        isOver.value = false;
        void take(event.dataTransfer?.files[0]);
      }}
    >
      <label class="field-label" for={fieldId}>
        Feed items: paste or drop JSON, NDJSON or CSV
      </label>
      {text.length > SHOWN_CHARACTERS ? (
        <p class="note">
          {name ?? 'pasted text'}, {bytes(text.length)}{' '}
          <button
            type="button"
            class="link"
            onClick={() => {
              source.value = { name: null, text: '' };
            }}
          >
            Remove
          </button>
        </p>
      ) : (
        <textarea
          id={fieldId}
          class="mono"
          rows={text === '' ? 3 : 8}
          spellcheck={false}
          placeholder={'{"id": "a-1", "value": {"title": "…"}}\n{"id": "a-2", "value": {"title": "…"}}'}
          value={text}
          onInput={({ currentTarget }) => {
            source.value = { name: null, text: currentTarget.value };
          }}
        />
      )}
      <div class="fields">
        <label class="button file">
          Choose a file
          <input
            type="file"
            class="hidden-text"
            accept=".json,.ndjson,.jsonl,.csv,.txt"
            onChange={({ currentTarget }) => void take(currentTarget.files?.[0])}
          />
        </label>
        <label>
          Name of the feed
          <input
            value={shown.feedId}
            placeholder="given by the service"
            maxLength={128}
            onInput={({ currentTarget }) => (feedId.value = currentTarget.value)}
          />
        </label>
        <label>
          Begins at
          <select value={shown.stage === '' ? first : shown.stage} onChange={({ currentTarget }) => (stage.value = currentTarget.value)}>
            {definition.stages.map((one) => (
              <option key={one.name}>{one.name}</option>
            ))}
            {shown.stage !== '' && !definition.stages.some((one) => one.name === shown.stage) && <option>{shown.stage}</option>}
          </select>
        </label>
        <label>
          Priority
          <input
            type="number"
            class="short"
            min={0}
            max={2_097_151}
            placeholder="100"
            value={shown.priority}
            onInput={({ currentTarget }) => (priority.value = currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={!isReady}>
          {sent.value !== null
            ? `Sent ${count(sent.value)}…`
            : items === null || items.lines.length === 0
              ? 'Feed'
              : `Feed ${plural(items.lines.length, 'item')}`}
        </button>
      </div>
      {parsed.value instanceof Error ? (
        <p class="fault" role="alert">
          {parsed.value.message}
        </p>
      ) : (
        items !== null &&
        items.lines.length > 0 && (
          <p class="muted small preview">
            {items.form}, {plural(items.lines.length, 'item')}. The first: <code>{(items.lines[0] as string).slice(0, 160)}</code>
            {options.onDuplicate !== undefined && `. Of ids that are known: ${options.onDuplicate}`}
            {left.length > 0 && `. Left out: ${left.join(', ')}`}
          </p>
        )
      )}
      <Fault error={fault.value} />
    </form>
  );
}
