/** The rest of an item's way where it differs from the order of the stages. Items with the same way share one. */
export interface RouteOver<S> {
  /** The next stage; null: the way ends. */
  readonly stage: S | null;
  /** The way after that stage; null: from there on it follows the order of the stages. */
  readonly rest: RouteOver<S> | null;
}

/** A route as the numbers of its stages, with a final 0 when the way ends there. */
export function toNumbers(route: RouteOver<{ readonly no: number }>): number[] {
  const numbers: number[] = [];
  for (let rest: RouteOver<{ readonly no: number }> | null = route; rest !== null; rest = rest.rest) numbers.push(rest.stage?.no ?? 0);
  return numbers;
}

export function routeOf<S>(numbers: readonly number[], stageOf: (no: number) => S): RouteOver<S> | null {
  let route: RouteOver<S> | null = null;
  for (let i = numbers.length - 1; i >= 0; i--) {
    const no = numbers[i] as number;
    route = { stage: no === 0 ? null : stageOf(no), rest: route };
  }
  return route;
}
