/*
 * Whether a handler can see a second argument. It is decided from the source text, not from `length`, which leaves out parameters with
 * defaults and rest parameters, and which anybody may set.
 */

// As they were when the engine was loaded: neither a handler's own `toString` nor a patched one is asked.
const { apply } = Reflect;
const { toString: textOf } = Function.prototype;

const NAME = '[A-Za-z_$][\\w$]*';
const ONE = `\\(\\s*(?:${NAME}\\s*)?\\)`;
/** An arrow function of one plain parameter or none: it has no `arguments` of its own. */
const ARROW = new RegExp(`^(?:async\\b\\s*)?(?:${NAME}|${ONE})\\s*=>`);
/** Any other function or method of that kind; no generator, accessor, class, or method with a computed name. */
const FUNCTION = new RegExp(`^(?:async\\s+)?(?:function\\b\\s*(?:${NAME}\\s*)?|${NAME}\\s*)${ONE}\\s*\\{`);
/** What could reach the arguments without naming a parameter, also where it is written with escapes; and what stands where there is no source. */
const REACHES_ARGUMENTS = /arguments|eval|\\u|\[native code\]/;

/**
 * False only when the handler certainly cannot see more than its first argument, so that its context need not be made. Everything in doubt takes it:
 * defaults, destructuring, comments among the parameters, bound and native functions, Proxies (their text is no source).
 */
export function takesContext(handler: unknown): boolean {
  if (typeof handler !== 'function') return true;
  const text: string = apply(textOf, handler, []);
  if (ARROW.test(text)) return false;
  // Functions that are not strict show the arguments of a running call as a property.
  if (!FUNCTION.test(text) || Object.hasOwn(handler, 'arguments')) return true;
  return REACHES_ARGUMENTS.test(text);
}
