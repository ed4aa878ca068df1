/**
 * A text as a fault may show it: without what may be the password of an address. All up to the last `@` goes, since a password may hold one, and so does the query of an address.
 */
export function shownText(text: string): string {
  const rest = text.slice(text.lastIndexOf('@') + 1);
  const query = text.includes(':') ? rest.indexOf('?') : -1;
  const kept = query === -1 ? rest : `${rest.slice(0, query)}?…`;
  return rest === text ? kept : `…@${kept}`;
}
