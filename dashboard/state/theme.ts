import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
const STORED_AS = 'sluice-theme';

export const theme = signal<Theme>((localStorage.getItem(STORED_AS) as Theme | null) ?? 'system');
/** Counts up when colours change, for what is drawn and not styled. */
export const colours = signal(0);

/** Applies the theme to the document, and follows the system where that decides. */
export function startTheme(): void {
  theme.subscribe((chosen) => {
    const root = document.documentElement;
    if (chosen === 'system') delete root.dataset.theme;
    else root.dataset.theme = chosen;
    localStorage.setItem(STORED_AS, chosen);
    colours.value++;
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours.value++;
  });
}
