import { indented } from './indented.ts';
import { bytes } from './words.ts';

export interface Preview {
  text: string;
  bytes: number;
  complete: boolean;
}

/** The beginning of a value, with its size. Digits stay as they are stored: it is text from end to end. */
export function Value({ preview, whole }: { preview: Preview | undefined; whole?: () => void }) {
  if (preview === undefined) return <p class="muted">None.</p>;
  const { text, complete } = preview;
  return (
    <>
      <pre class="text">{complete ? indented(text) : `${text}…`}</pre>
      <p class="muted small">
        {bytes(preview.bytes)}
        {!complete && ', of which this is the beginning'}
        {whole !== undefined && (
          <>
            .{' '}
            <button type="button" class="link" onClick={whole}>
              Download
            </button>
          </>
        )}
      </p>
    </>
  );
}
