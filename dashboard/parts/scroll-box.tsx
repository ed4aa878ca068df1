import type { ComponentChildren } from 'preact';

/** A card whose content may be wider than the screen: it scrolls by itself, with the arrow keys too. */
export function ScrollBox({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard (axe: scrollable-region-focusable)
    <section class="card flush scroll-x" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
