import type { Metadata } from '../../schemas/item.ts';

export const NO_METADATA: Metadata = Object.freeze({});
