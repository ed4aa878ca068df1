import type { Secrets } from '../engine/ports.ts';

/** Masks the secrets as they are and as they stand inside JSON and URLs. A long one goes first: another may be a part of it. */
export function createSecrets(values: Readonly<Record<string, string>>): Secrets {
  const forms = Object.entries(values)
    .flatMap(([name, value]) => {
      const written = new Set([value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), encodeURI(value)]);
      return [...written].map((form) => ({ form, mask: `[secret ${name}]` }));
    })
    .sort((a, b) => b.form.length - a.form.length);
  if (forms.length === 0) return { values, mask: (text) => text };
  return { values, mask: (text) => forms.reduce((masked, { form, mask }) => masked.replaceAll(form, mask), text) };
}
