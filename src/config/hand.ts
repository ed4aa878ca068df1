/** The variables of hands: processes that make the calls of tasks for a service, and those that a service starts itself. */
import { z } from 'zod';
import { integer } from '../variable.ts';
import { type Environment, listOf } from './environment.ts';
import { shownText } from './shown.ts';

export const handVariables = {
  ROLE: z.enum(['service', 'hand'], 'must be service or hand').default('service').meta({
    type: '`service`, `hand`',
    description:
      'A `hand` serves nothing and keeps nothing: it connects to the service at `OWNER_URL` and makes calls of tasks, predicates and hooks for it. It needs the same version and the same `TASKS_DIR`.',
  }),
  OWNER_URL: z.string().optional().meta({
    type: 'URLs',
    description: 'For a hand: where the service is, such as `http://10.0.0.5:3000`. Several, separated by commas, are tried in turn.',
  }),
  OWNER_KEY: z.string().optional().meta({
    type: 'key',
    description: 'For a hand: the whole key that it connects with, if the service has keys. It needs the scope `work`.',
  }),
  HAND_NAME: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be 1 to 128 letters, digits, ".", "_" or "-"')
    .optional()
    .meta({
      type: 'name',
      description: 'For a hand: its name in `GET /hands` and in logs. Without it, that of the machine and the number of the process.',
    }),
  HAND_CAPACITY: integer(
    1,
    100_000,
    100,
    'For a hand: how many calls it takes at one time. Tasks with `thread: true` wait in it for one of its `THREADS`.',
  ),
  HANDS: integer(
    0,
    1000,
    0,
    'How many hands the service starts on its own machine, as processes that end with it. A task that ends, blocks or fills its process then harms no pipeline. One that ends is started again.',
  ),
};

export interface HandConfig {
  role: 'service' | 'hand';
  /** Where a hand finds its service; empty for a service. */
  ownerUrls: readonly string[];
  ownerKey: string | undefined;
  handName: string | undefined;
  handCapacity: number;
  /** Hands that the service starts itself. */
  hands: number;
}

export function handConfig(values: z.output<z.ZodObject<typeof handVariables>>): HandConfig {
  return {
    role: values.ROLE,
    ownerUrls: listOf(values.OWNER_URL),
    ownerKey: values.OWNER_KEY,
    handName: values.HAND_NAME,
    handCapacity: values.HAND_CAPACITY,
    hands: values.HANDS,
  };
}

/** The key is never shown: whoever reads the fault may not be whom it was given to. */
export function handFaults(given: Environment): string[] {
  const urls = listOf(given.OWNER_URL);
  const isHand = given.ROLE === 'hand';
  return [
    ...(isHand && urls.length === 0 ? ['OWNER_URL is required with ROLE=hand: the address of the service'] : []),
    ...(isHand && Number(given.HANDS ?? 0) > 0 ? ['HANDS is for a service; a hand starts none'] : []),
    ...urls.flatMap((url) =>
      isOwnerUrl(url) ? [] : [`OWNER_URL "${shownText(url)}" must be an http: or https: URL without a query or credentials`],
    ),
    ...(given.OWNER_KEY === undefined || KEY.test(given.OWNER_KEY) ? [] : ['OWNER_KEY must be a whole key, slc_<name>_<secret>']),
  ];
}

const KEY = /^slc_[A-Za-z0-9-]{1,64}_[\x21-\x7e]{16,512}$/;

function isOwnerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, search, hash, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && search + hash + username + password === '';
}
