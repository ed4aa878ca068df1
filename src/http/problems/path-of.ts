/** The part of an address before its query. The router also takes `#`, which no client sends, for its beginning. */
export const pathOf = (url: string): string => {
  const query = url.search(/[?#]/);
  return query === -1 ? url : url.slice(0, query);
};
