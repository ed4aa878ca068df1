/** A state as a word with a mark before it: never colour alone. */
export function StateMark({ state, why }: { state: string; why?: string | undefined }) {
  return (
    <span class="state" data-state={state} title={why}>
      {state.replaceAll('_', ' ')}
    </span>
  );
}
