import { ApiProblem } from '../state/api.ts';

/** A request that was refused: what the service says, and what can be done. */
export function Fault({ error }: { error: Error | null | undefined }) {
  if (!error) return null;
  const problem = error instanceof ApiProblem ? error : null;
  return (
    <div class="note bad" role="alert">
      <p>{error.message}</p>
      {problem !== null && problem.errors.length > 0 && (
        <ul class="faults">
          {problem.errors.map(({ path, message }) => (
            <li key={path + message}>
              <code>{path === '' ? '/' : path}</code> {message}
            </li>
          ))}
        </ul>
      )}
      {problem?.fix && <p class="muted small">{problem.fix}</p>}
    </div>
  );
}
