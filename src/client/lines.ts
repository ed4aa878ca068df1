import { guarded } from './transport.ts';

/** A text of JSON that is sent as it is. Digits that a number cannot hold are kept so. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An item whose JSON is given as a text, in one line. */
export function jsonText(text: string): JsonText {
  return new JsonText(text.includes('\n') ? text.replaceAll(/[\r\n]+/g, ' ') : text);
}

/** Lines of a stream of UTF-8, without their ends (LF or CRLF). The last one may lack its end. The stream is cancelled when its reader leaves. */
export async function* linesOf(stream: ReadableStream<Uint8Array>, signal?: AbortSignal): AsyncGenerator<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let isWhole = false;
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await guarded(signal, () => reader.read());
      isWhole = done;
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = text.split('\n');
      lines[0] = rest + lines[0];
      rest = lines.pop() ?? '';
      for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
      if (!done) continue;
      if (rest !== '') yield rest;
      return;
    }
  } finally {
    // A stream that broke rejects the cancelling with the error that the reading has told already.
    if (!isWhole) await reader.cancel().catch(() => undefined);
  }
}

/** The items of an NDJSON file or stream, each sent as it stands there. Empty lines are none. */
export async function* ndjson(stream: ReadableStream<Uint8Array>): AsyncGenerator<JsonText> {
  for await (const line of linesOf(stream)) {
    if (line.trim() !== '') yield new JsonText(line);
  }
}
