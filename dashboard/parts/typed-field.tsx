import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';

interface TypedFieldProps {
  label: string;
  value: string;
  placeholder?: string;
  kind?: 'text' | 'search' | 'number';
  /** Applies what is typed when the typing rests for so long; without it, when the field is left or Enter is pressed. */
  restMs?: number;
  change: (value: string) => void;
}

/** A field that keeps what is being typed, whatever is drawn anew around it, and applies nothing once it is gone. */
export function TypedField({ label, value, placeholder, kind = 'text', restMs, change }: TypedFieldProps) {
  const typed = useSignal<string | null>(null);
  const timer = useRef(0);
  const id = useId();
  const apply = (text: string): void => {
    clearTimeout(timer.current);
    typed.value = null;
    change(text);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  const shared = {
    id,
    value: typed.value ?? value,
    placeholder,
    onInput({ currentTarget }: { currentTarget: HTMLInputElement }) {
      const text = currentTarget.value;
      typed.value = text;
      clearTimeout(timer.current);
      if (restMs !== undefined) timer.current = window.setTimeout(() => apply(text), restMs);
    },
    onChange({ currentTarget }: { currentTarget: HTMLInputElement }) {
      apply(currentTarget.value);
    },
  };
  return (
    <label for={id} class={kind === 'search' ? 'grow' : undefined}>
      {label}
      {kind === 'search' && <input type="search" {...shared} />}
      {kind === 'number' && <input type="number" class="short" min={1} {...shared} />}
      {kind === 'text' && <input type="text" {...shared} />}
    </label>
  );
}
