/** What a page hears over its event stream, as it came over the network. */
import type { Page } from 'playwright-core';

export interface Heard {
  /** For each connection that was opened, the id that it was to go on after. */
  opened: (string | null)[];
  events: { id: string | null; event: string; data: Record<string, unknown> }[];
}

/** Runs in the page ahead of its own scripts, and reads along. */
export const RECORD_STREAM = `
globalThis.heard = { opened: [], events: [] };
const send = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const response = await send(url, options);
  if (!String(url).startsWith('/events') || !response.ok) return response;
  heard.opened.push(options.headers['last-event-id'] ?? null);
  const [theirs, ours] = response.body.tee();
  void (async () => {
    let rest = '';
    for await (const text of ours.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\\n\\n');
      rest = blocks.pop();
      for (const block of blocks) {
        const field = (name) => block.split('\\n').find((line) => line.startsWith(name + ': '))?.slice(name.length + 2) ?? null;
        const event = field('event');
        if (event !== null) heard.events.push({ id: field('id'), event, data: JSON.parse(field('data')) });
      }
    }
  })().catch(() => undefined);
  return new Response(theirs, response);
};
`;

export async function heardBy(page: Page): Promise<Heard> {
  return (await page.evaluate('heard')) as Heard;
}
