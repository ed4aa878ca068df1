import { SECRET_LENGTH_MIN } from '../config.ts';
import type { Secrets } from '../engine/ports.ts';
import { createMasks, type Masks } from './masking/mask.ts';

/** The names of secrets that a reload concerns, sorted. */
export interface SecretChanges {
  added: string[];
  changed: string[];
  /** Names whose values are no longer given; they stay in force until the process ends, since definitions may use them. */
  gone: string[];
}

export interface LiveSecrets extends Secrets, Masks {
  /** Puts other values in force, for every template that is evaluated from now on. Earlier values are masked as well from then on: they may still be in texts. */
  replace(values: Readonly<Record<string, string>>): SecretChanges;
}

/** One that is too short to be a secret is not masked: it would be found in any text, that of the fault that it is among them. */
export function createSecrets(given: Readonly<Record<string, string>>): LiveSecrets {
  let values = given;
  /** Every name with each of its values so far. */
  const known = new Map<string, readonly [name: string, value: string]>();
  let masks = learn(given);

  function learn(fresh: Readonly<Record<string, string>>): Masks {
    for (const [name, value] of Object.entries(fresh)) {
      if (value.length >= SECRET_LENGTH_MIN) known.set(JSON.stringify([name, value]), [name, value]);
    }
    return createMasks([...known.values()], SECRET_LENGTH_MIN);
  }

  return {
    get values() {
      return values;
    },
    mask: (text) => masks.mask(text),
    maskLine: (line) => masks.maskLine(line),
    replace(fresh) {
      const names = Object.keys(fresh).sort();
      const changes = {
        added: names.filter((name) => !Object.hasOwn(values, name)),
        changed: names.filter((name) => Object.hasOwn(values, name) && values[name] !== fresh[name]),
        gone: Object.keys(values)
          .filter((name) => !Object.hasOwn(fresh, name))
          .sort(),
      };
      masks = learn(fresh);
      values = { ...values, ...fresh };
      return changes;
    },
  };
}
