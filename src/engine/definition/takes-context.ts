/*
 * Decides whether a handler can see a second argument. It reads the source text, not `length`, which leaves out rest parameters and
 * parameters with defaults, and which anybody may set.
 */

// Taken when the engine is loaded: neither a handler's own `toString` nor a patched one is called.
const { apply } = Reflect;
const { toString: textOf } = Function.prototype;

const NAME = '[A-Za-z_$][\\w$]*';
const ONE = `\\(\\s*(?:${NAME}\\s*)?\\)`;
/** An arrow function of one plain parameter or none: it has no `arguments` of its own. */
const ARROW = new RegExp(`^(?:async\\b\\s*)?(?:${NAME}|${ONE})\\s*=>`);
/** Any other function or method of at most one plain parameter; not a generator, accessor, class, or method with a computed name. */
const FUNCTION = new RegExp(`^(?:async\\s+)?(?:function\\b\\s*(?:${NAME}\\s*)?|${NAME}\\s*)${ONE}\\s*\\{`);
/** Text that could reach the arguments without naming a parameter, escapes included, or that stands in for source that is not available. */
const REACHES_ARGUMENTS = /arguments|eval|\\u|\[native code\]/;

/**
 * False only when the handler certainly cannot see more than its first argument, so its context need not be made. True when in doubt:
 * defaults, destructuring, comments among the parameters, bound and native functions, Proxies (their text is not source).
 */
export function takesContext(handler: unknown): boolean {
  if (typeof handler !== 'function') return true;
  const text: string = apply(textOf, handler, []);
  if (ARROW.test(text)) return false;
  // A sloppy-mode function exposes the arguments of a running call as its property `arguments`.
  if (!FUNCTION.test(text) || Object.hasOwn(handler, 'arguments')) return true;
  return REACHES_ARGUMENTS.test(text);
}
