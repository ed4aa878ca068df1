/**
 * The beginning of a text, at most so many characters. It is a copy: what `slice` gives may refer to the whole text, and keep it in
 * memory for as long as the piece is kept.
 */
export function cutText(text: string, most: number): string {
  if (text.length <= most) return text;
  // A pair of surrogates is not torn apart.
  const end = (text.charCodeAt(most - 1) & 0xfc00) === 0xd800 ? most - 1 : most;
  return Buffer.from(text.slice(0, end), 'utf16le').toString('utf16le');
}
