import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { count } from './words.ts';

interface SliderProps {
  label: string;
  value: number;
  /** The value of the definition, with a mark. */
  defined: number;
  min: number;
  isOff: boolean;
  /** Called once the slider is let go of. */
  change: (value: number) => void;
}

/** A number by slider or by hand. What it is moved to is sent when it rests; until then what is in force stays beside it. */
export function Slider({ label, value, defined, min, isOff, change }: SliderProps) {
  const moved = useSignal<number | null>(null);
  const id = useId();
  const shown = moved.value ?? value;
  const max = Math.max(10, defined * 4, value * 2);
  const commit = (next: number): void => {
    moved.value = null;
    if (Number.isInteger(next) && next >= min && next !== value) change(next);
  };
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <input
        type="range"
        aria-label={`${label}, slider`}
        min={min}
        max={max}
        value={shown}
        disabled={isOff}
        onInput={({ currentTarget }) => {
          moved.value = currentTarget.valueAsNumber;
        }}
        onChange={({ currentTarget }) => commit(currentTarget.valueAsNumber)}
      />
      <input
        id={id}
        type="number"
        class="short"
        min={min}
        value={shown}
        disabled={isOff}
        onChange={({ currentTarget }) => commit(currentTarget.valueAsNumber)}
      />
      <span class="muted small">{value === defined ? 'as defined' : `defined: ${count(defined)}`}</span>
    </div>
  );
}
