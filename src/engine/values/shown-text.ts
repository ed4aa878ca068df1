import { cutText } from './cut-text.ts';

/** No secret is longer once it is written in some other way, or it is none of those that can be found. */
const SECRET_MAX = 65_536;

/**
 * The first characters of a text, without the secrets in them. A secret is masked before the text is cut: of the first half of one nothing would
 * be recognised. What stands far behind the cut is not looked through, for a text may be of any length.
 */
export function shownText(text: string, length: number, mask: (text: string) => string): string {
  return cutText(mask(cutText(text, length + SECRET_MAX)), length).toWellFormed();
}
