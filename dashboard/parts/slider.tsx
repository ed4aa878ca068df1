import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { count } from './words.ts';

interface SliderProps {
  label: string;
  value: number;
  /** The value of the definition, with a mark. */
  defined: number;
  /** Any number above zero is one; else whole numbers from 1. */
  isFractional?: boolean;
  isOff: boolean;
  /** Called once the slider is let go of. */
  change: (value: number) => void;
}

/** A number by slider or by hand. What it is moved to is sent when it rests; until then what is in force stays beside it. */
export function Slider({ label, value, defined, isFractional = false, isOff, change }: SliderProps) {
  const moved = useSignal<number | null>(null);
  /** What is being typed stays, whatever is drawn anew around it. */
  const typed = useSignal<string | null>(null);
  const id = useId();
  const shown = moved.value ?? value;
  const max = Math.max(isFractional ? 0 : 10, defined * 4, value * 2);
  // Three digits for a slider that may stand between whole numbers: 0.01 up to 2, 1 up to 500.
  const step = isFractional ? Math.min(1, 10 ** (Math.floor(Math.log10(max)) - 2)) : 1;
  const commit = (field: HTMLInputElement): void => {
    moved.value = null;
    typed.value = null;
    const next = field.valueAsNumber;
    const isGood = isFractional ? next > 0 : Number.isInteger(next) && next >= 1;
    if (isGood && next !== value) change(next);
    // What is no such number is not left standing as if it were in force.
    if (!isGood) field.value = String(value);
  };
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <input
        type="range"
        aria-label={`${label}, slider`}
        min={step}
        max={max}
        step={step}
        value={shown}
        disabled={isOff}
        onInput={({ currentTarget }) => {
          moved.value = currentTarget.valueAsNumber;
        }}
        onChange={({ currentTarget }) => commit(currentTarget)}
      />
      <input
        id={id}
        type="number"
        class="short"
        min={isFractional ? 0 : 1}
        step={isFractional ? 'any' : 1}
        value={typed.value ?? shown}
        disabled={isOff}
        onInput={({ currentTarget }) => {
          typed.value = currentTarget.value;
        }}
        onChange={({ currentTarget }) => commit(currentTarget)}
      />
      <span class="muted small">
        {value === defined ? 'as defined' : `defined: ${Number.isInteger(defined) ? count(defined) : defined}`}
      </span>
    </div>
  );
}
