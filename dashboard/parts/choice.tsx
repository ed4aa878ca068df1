import type { Signal } from '@preact/signals';
import { useId } from 'preact/hooks';

/** One of a few, side by side. */
export function Choice({ label, options, chosen }: { label: string; options: readonly string[]; chosen: Signal<number> }) {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend class="hidden-text">{label}</legend>
      {options.map((option, i) => (
        <label key={option}>
          <input
            type="radio"
            name={name}
            checked={chosen.value === i}
            onChange={() => {
              chosen.value = i;
            }}
          />
          <span>{option}</span>
        </label>
      ))}
    </fieldset>
  );
}
