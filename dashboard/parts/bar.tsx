import { count } from './words.ts';

interface Counts {
  total: number;
  completed: number;
  failed: number;
  cancelled: number;
}

const PARTS = ['completed', 'failed', 'cancelled'] as const;

/** Progress as a bar: what is completed, failed and cancelled of a total. Its widths are set by script: the policy lets in no style attribute. */
export function Bar({ label, ...counts }: Counts & { label: string }) {
  const { total } = counts;
  const ended = counts.completed + counts.failed + counts.cancelled;
  return (
    <div
      class="bar"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuenow={ended}
      aria-valuetext={`${count(ended)} of ${count(total)}`}
    >
      {PARTS.map((part) => (
        <span
          key={part}
          class={part}
          ref={(element) => {
            if (element !== null) element.style.width = `${total === 0 ? 0 : (counts[part] / total) * 100}%`;
          }}
        />
      ))}
    </div>
  );
}
