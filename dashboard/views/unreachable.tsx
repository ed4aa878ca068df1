/** Shown when not even the first request is answered. */
export function Unreachable({ why, again }: { why: string; again: () => void }) {
  return (
    <main class="sign-in">
      <div class="card">
        <h1>Sluice</h1>
        <p class="fault" role="alert">
          The service cannot be reached: {why}.
        </p>
        <button type="button" class="primary" onClick={again}>
          Try again
        </button>
      </div>
    </main>
  );
}
