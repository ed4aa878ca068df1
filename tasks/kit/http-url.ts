import { PermanentError } from '../../src/engine/index.ts';

/** Parses a URL that may be requested. `refuse` creates the error; by default it shows the text, which comes from the definition or the item. */
export function checkedUrl(text: string, base?: URL, refuse?: (why: string) => Error): URL {
  const url = URL.parse(text, base?.href);
  if (url === null) throw refuse?.('it names no valid URL') ?? new PermanentError(`"${text}" is not a valid URL`);
  const why = faultOf(url);
  if (why !== undefined) throw refuse?.(why) ?? new PermanentError(why);
  return url;
}

function faultOf(url: URL): string | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `only http: and https: are fetched, not ${url.protocol}`;
  return url.username === '' && url.password === '' ? undefined : 'a URL must not hold a user name or a password';
}
