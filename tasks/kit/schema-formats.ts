import formats from 'ajv-formats';

type Ajv = Parameters<typeof addFormats>[0];

/**
 * Adds the usual formats. Each takes a time in proportion to the text's length; `url` of the package does not, as it looks for the end of
 * the user's name at every character.
 */
export function addFormats(ajv: import('ajv/dist/2020.js').Ajv2020): void {
  // Its types name the function as a member of the module; at run time it is both.
  (formats as unknown as (ajv: Ajv) => void)(ajv);
  const { url } = ajv.formats;
  if (!(url instanceof RegExp)) throw new Error('the format "url" of ajv-formats is no longer a regular expression');
  ajv.addFormat('url', (text: string) => isUrl(text, url));
}

const SCHEME = /^(?:https?|ftp):\/\//i;

/** Applies `whole` to the host and port only: user information before them and the path behind them may be any text. */
export function isUrl(text: string, whole: RegExp): boolean {
  const scheme = SCHEME.exec(text)?.[0];
  if (scheme === undefined || /\s/.test(text)) return false;
  const rest = text.slice(scheme.length);
  for (let from = 0; ; ) {
    const end = from + (/[@/]|$/.exec(rest.slice(from))?.index ?? 0);
    const host = rest.slice(from, end);
    // A second colon would be one of a user's name, of which none is left.
    if (rest[end] !== '@' && host.indexOf(':') === host.lastIndexOf(':') && whole.test(`${scheme}${host}`)) return true;
    // Nothing stands before the first "@" when it comes first, and no name may be empty.
    const at = rest.indexOf('@', Math.max(from, 1));
    if (at < 0) return false;
    from = at + 1;
  }
}
