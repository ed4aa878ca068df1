/** A pipeline as far as the text tells of it. */
export interface NamedPipeline {
  id: string;
  description: string | null;
  state: string;
  stages: readonly string[];
}

/** A host that may become part of a line for a shell. */
const PLAIN_AUTHORITY = /^[\w.:[\]-]+$/;

/** The origin of the service, as its caller calls it; a header that could mean something to a shell is not repeated. */
export function originOf(host: string | undefined, forwardedProtocol: string | undefined): string {
  const authority = host !== undefined && PLAIN_AUTHORITY.test(host) ? host : '127.0.0.1:3000';
  return `${forwardedProtocol === 'https' ? 'https' : 'http'}://${authority}`;
}

export interface PasteOptions {
  origin: string;
  version: string;
  /** Requests need a key. */
  needsKey: boolean;
  /** False: the caller has not said who it is, and is told of no pipeline. */
  isKnown: boolean;
  pipelines: readonly NamedPipeline[];
  /** False: there is no page to open. */
  hasPage: boolean;
}

/** The most pipelines that have lines of their own. */
const SHOWN_MAX = 5;

/** A short text for a terminal: where one is, and lines to paste for the pipelines that there are. */
export function pasteLines({ origin, version, needsKey, isKnown, pipelines, hasPage }: PasteOptions): string {
  const key = needsKey ? ' -H "authorization: Bearer $SLUICE_KEY"' : '';
  const lines = [`Sluice ${version} at ${origin}`, ''];
  lines.push(hasPage ? `Open ${origin}/ in a browser to look at it.` : 'The page for browsers is not built: npm run build makes it.', '');
  if (needsKey) lines.push('Requests need a key:', '', '  export SLUICE_KEY=slc_NAME_SECRET', '');
  if (!isKnown) {
    lines.push('This text with your key names the pipelines:', '', `  curl -s${key} ${origin}/`, '');
  } else if (pipelines.length === 0) {
    lines.push('There is no pipeline yet. This makes one, and runs an item through it:', '');
    lines.push(
      `  curl -s${key} ${origin}/pipelines -H 'content-type: application/json' \\`,
      `    -d '{"id": "hashes", "stages": [{"name": "Hash", "tasks": [{"task": "hash", "with": {"field": "digest"}}]}]}'`,
      `  curl -s${key} ${origin}/pipelines/hashes/run -H 'content-type: application/json' -d '{"items": [{"text": "hello"}]}'`,
      '',
    );
  }
  for (const pipeline of pipelines.slice(0, SHOWN_MAX)) lines.push(...linesOf(pipeline, origin, key));
  if (pipelines.length > SHOWN_MAX) {
    lines.push(`And ${pipelines.length - SHOWN_MAX} more:`, '', `  curl -s${key} ${origin}/pipelines`, '');
  }
  lines.push(`The whole API: ${origin}/docs`);
  return `${lines.join('\n')}\n`;
}

/** A text of a definition on one line, without characters that a terminal would act on, or that change the order of those beside them. */
const shown = (text: string): string => text.replaceAll(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');

function linesOf({ id, description, state, stages }: NamedPipeline, origin: string, key: string): string[] {
  const url = `${origin}/pipelines/${id}`;
  return [
    `${id} (${state}): ${stages.map(shown).join(' → ')}`,
    ...(description === null ? [] : [`# ${shown(description)}`]),
    '',
    `  curl -s${key} ${url}/feed -H 'content-type: application/json' -d '{"items": [{"id": "first", "value": {}}]}'`,
    `  curl -s${key} -T items.ndjson -X POST ${url}/feed -H 'content-type: application/x-ndjson'`,
    `  curl -sN${key} ${url}/events`,
    `  curl -s${key} ${url}/stats`,
    '',
  ];
}
