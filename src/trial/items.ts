/** The items so many times, one after the other. From the second time on an item with an id has another one: `a`, `a-2`, `a-3`. */
export function repeated(items: readonly unknown[], times: number): unknown[] {
  return Array.from({ length: times }, (_, i) => (i === 0 ? [...items] : items.map((item) => renamed(item, i + 1)))).flat();
}

function renamed(item: unknown, time: number): unknown {
  if (typeof item !== 'object' || item === null || !('id' in item)) return item;
  const { id } = item;
  return typeof id === 'string' || typeof id === 'number' ? { ...item, id: `${id}-${time}` } : item;
}
