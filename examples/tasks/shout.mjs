/** A task of your own: a module with a default export, which needs no import of Sluice. */
export default {
  description: 'Says it louder.',
  timeoutSeconds: 5,
  run(value, ctx) {
    if (typeof value !== 'string') throw ctx.permanent('only text can be shouted');
    return `${value.toUpperCase()}!`;
  },
};
