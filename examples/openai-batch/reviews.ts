/** Reviews of a shop, as items: the same ones each time. */
export interface Review {
  id: string;
  value: { text: string };
}

export const BATCH = 12;
const BATCHES = 16;
/** Somebody pasted whole manuals into these: they are too long for the model, all of one batch. */
export const FAILING_BATCH = 5;

const THINGS = ['kettle', 'lamp', 'drill', 'tent', 'router', 'blender', 'scale'];
const OPINIONS = [
  { text: 'works as it should, and looks good on the shelf', sentiment: 'positive' },
  { text: 'broke after a week, and nobody answers my letters', sentiment: 'negative' },
  { text: 'came on time; I have not used it much yet', sentiment: 'neutral' },
  { text: 'is quieter than the one before, and cheaper', sentiment: 'positive' },
] as const;

export function reviews(): Review[] {
  return Array.from({ length: BATCH * BATCHES }, (_, index) => {
    const { thing, opinion } = about(index);
    const manual = Math.floor(index / BATCH) === FAILING_BATCH ? ` From the manual: ${'Keep this sheet in a dry place. '.repeat(140)}` : '';
    return { id: `order-${1000 + index}`, value: { text: `Order ${1000 + index}: the ${thing} ${opinion.text}.${manual}` } };
  });
}

/** What a review of that place in the list is about. */
export function about(index: number): { thing: string; opinion: (typeof OPINIONS)[number] } {
  return {
    thing: THINGS[index % THINGS.length] as string,
    opinion: OPINIONS[(index * 7) % OPINIONS.length] as (typeof OPINIONS)[number],
  };
}
