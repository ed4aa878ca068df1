import { useSignal } from '@preact/signals';
import { type DownloadForm, type DownloadOptions, download } from '../state/download.ts';
import { Fault } from './fault.tsx';
import { count } from './words.ts';

interface DownloadButtonProps {
  label: string;
  name: string;
  rows: () => DownloadOptions['rows'];
}

/** Saves rows as a file, in either form, and says how many there are so far. */
export function DownloadButton({ label, name, rows }: DownloadButtonProps) {
  const progress = useSignal<number | null>(null);
  const error = useSignal<Error | null>(null);
  const start = async (form: DownloadForm): Promise<void> => {
    progress.value = 0;
    error.value = null;
    try {
      await download({
        name,
        form,
        rows: rows(),
        onRow: (rowCount) => {
          // A file of a million rows has a thousand notices.
          if (rowCount % 1000 === 0) progress.value = rowCount;
        },
      });
    } catch (thrown) {
      error.value = thrown as Error;
    } finally {
      progress.value = null;
    }
  };
  const isBusy = progress.value !== null;
  return (
    <span class="download">
      <span>{isBusy ? `${label}: ${count(progress.value as number)} rows` : label}</span>
      <button type="button" class="link" disabled={isBusy} onClick={() => void start('ndjson')} aria-label={`${label} as NDJSON`}>
        NDJSON
      </button>
      <button type="button" class="link" disabled={isBusy} onClick={() => void start('csv')} aria-label={`${label} as CSV`}>
        CSV
      </button>
      <Fault error={error.value} />
    </span>
  );
}
