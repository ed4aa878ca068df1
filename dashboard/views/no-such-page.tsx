import { useTitle } from '../state/title.ts';

export function NoSuchPage() {
  useTitle('No such page');
  return (
    <div class="card empty">
      <h1>There is no such page</h1>
      <p>
        <a href="#/">All pipelines</a>
      </p>
    </div>
  );
}
