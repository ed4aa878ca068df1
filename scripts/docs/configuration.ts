import { variables } from '../../src/config.ts';
import { LIMITS } from '../../src/limits.ts';
import { code, page, table } from './markdown.ts';

/** The bounds without a variable: nobody needs another value of them. */
const FIXED = [
  ['the type of an error', 'none', '200 characters', 'cut off'],
  ['types of errors that are counted', 'none', '1000', 'further types are counted together'],
  ['depth of JSON', 'none', '64', '400 `malformed-json`'],
  ['ids of items; other names', 'none', '512 and 128 characters', '400 `invalid-input`'],
  [
    'a run that is answered with one document',
    'none',
    '64 MiB, 1000000 items, 32 MiB of results',
    '413 `body-too-large`, 202 with the feed',
  ],
  ['rows and size of a page', 'none', '1000, 8 MiB', '400 `invalid-input`; a page ends early, with its cursor'],
];

function limitRows(): string[][] {
  return Object.entries(LIMITS).map(([name, { of, beyond }]) => {
    const fallback = variables.shape[name as keyof typeof LIMITS].safeParse(undefined).data;
    return [of, code(name), fallback === undefined ? 'none' : code(String(fallback)), beyond];
  });
}

export function configurationPage(): string {
  const rows = Object.entries(variables.shape).map(([name, schema]) => {
    const { type, description } = schema.meta() as { type: string; description: string };
    const fallback = schema.safeParse(undefined).data;
    return [code(name), type, fallback === undefined ? 'none' : code(String(fallback)), description];
  });
  return page(
    'Configuration',
    'src/config.ts',
    `Sluice is configured by environment variables, all of them optional. They are checked at start: all faults are printed at once, and the process exits with code 78. An empty variable counts as not set; variables that are not in this table are ignored.`,
    table(['Variable', 'Type', 'Default', 'Meaning'], rows),
    `Switches take \`true\`, \`false\`, \`1\` and \`0\`. Seconds may have fractions. Paths are relative to the working directory.`,
    '## Limits',
    `What callers, definitions and tasks can take is bounded. Up to a limit all is well; what comes on top is answered as in the last column. The keys of one name count as one.`,
    table(['Bounded', 'Variable', 'Default', 'Beyond'], [...limitRows(), ...FIXED]),
    `A request beyond \`MAX_REQUESTS_PER_KEY\` is refused before anything else is looked at. A window begins with the first request after the last one has ended. Every answer to a key with a limit says how much is left, in the fields of draft-ietf-httpapi-ratelimit-headers-10: \`RateLimit-Policy: "default";q=100;w=60\`, and \`RateLimit: "default";r=99;t=60\`, where \`t\` is the number of seconds until the window ends. Health, \`/openapi.json\` and \`/docs\` do not count.`,
    '## Secrets',
    `The variable \`SECRET_NAME\`, for any NAME of letters, digits and \`_\`, supplies \`{{ secrets.NAME }}\` in the parameters of tasks ([tasks](tasks.md#templates)). Its value must have at least 4 characters and is masked in the log and in errors. \`SECRETS_DIR\` names a folder that holds more of them, one per file, named like the secret; files that begin with a dot, and folders, are ignored. A secret that is given in both ways is a fault.`,
    '## Who can reach it',
    `Without keys, callers are not authenticated. The service therefore listens on loopback, and refuses to start on any other address unless \`ALLOW_UNAUTHENTICATED=true\` states that the network is protected by other means. With \`API_KEYS\` or \`API_KEYS_FILE\` every route except \`/livez\`, \`/readyz\`, \`/openapi.json\`, \`/openapi/client.json\` and \`/docs\` requires \`Authorization: Bearer slc_<name>_<secret>\`. The scope \`read\` observes; \`feed\` feeds and runs items, and observes, waits for and cancels what keys of the same name fed; \`operate\` starts, pauses, tunes, retries and cancels; \`admin\` does everything; \`work\` is for hands (\`ROLE=hand\`), which are given values and rendered parameters of all pipelines. A key with \`;pipelines=a+b\` is limited to these pipelines: lists and \`/events\` show no others, and requests that concern all pipelines are refused. \`;feedOptions=targetStage+rerun+priority\` allows a key with \`feed\` to choose the stage to start from, to run ended items again, and to use a priority below 100; \`feedOptions\` in a definition allows the same to all such keys. [security](security.md#who-may-call-what) lists every route with its scope. \`;requests=100/60\` allows a key 100 requests in 60 s, whatever \`MAX_REQUESTS_PER_KEY\` says. \`GET /whoami\` shows a key its own rights. The configuration holds only the SHA-256 of each key, so a leaked configuration admits nobody.`,
    `Without keys, a web page could make a browser on this machine send requests on its behalf, through a name that resolves to 127.0.0.1 (DNS rebinding). Therefore, without keys, the service answers 421 to every request whose \`Host\` is not \`localhost\`, a name that ends in \`.localhost\`, or a loopback address, with any port. \`ALLOWED_HOSTS\` adds names, such as that of a proxy that passes \`Host\` on unchanged. If \`ALLOW_UNAUTHENTICATED=true\` lets the service listen beyond loopback, it also accepts the name in \`HOST\`, every IP address and, unless \`ALLOWED_HOSTS\` is set, names without a dot, such as \`sluice\` in a compose file: public DNS does not resolve such names. List other names, such as \`sluice.default.svc.cluster.local\`, in \`ALLOWED_HOSTS\`. With keys, \`Host\` may be anything, because a page has no key.`,
    '## Definitions',
    `\`PIPELINES\` names a file or a folder. In a folder, all \`.yaml\`, \`.yml\` and \`.json\` files are read, in order of their names; subfolders are ignored. A file contains one definition, a list of definitions, an object \`{ "pipelines": [...] }\`, or several YAML documents of these. Duplicate keys, unknown fields, unknown YAML tags and two definitions with the same id are faults; each is printed with its file, line and JSON pointer. The default folder may be missing; a path that is set explicitly must exist.`,
    `At a start and at a reload, a pipeline gets the definition of its file if it is new or the file has changed since it was last loaded. Otherwise a definition that was put over the API stays, and live tuning stays in any case. Where the two disagree, a warning in the log says which of them holds; \`GET /pipelines/:id\` says so as \`definitionSource\` and \`fileDiffers\`. A pipeline whose definition is no longer in a file goes on; only \`DELETE /pipelines/:id\` removes it.`,
    '## Reload',
    `SIGHUP makes the service read \`API_KEYS_FILE\`, \`SECRETS_DIR\` and \`PIPELINES\` again while it runs, each for itself. The line \`reloaded\` of the log reports, by name: keys that were added, changed or removed; secrets that were added or changed, and those that are gone from the folder; definitions and limiters that were created or changed, how many are unchanged, which failed and why, and which are gone from the files. What is wrong is an error line and stays as it was: a file that cannot be read or has a fault leaves all keys, all secrets or all definitions in force, a definition that cannot be used leaves its pipeline. Nothing of it ends the process.`,
    `A key that was removed is a 401 at once. What it has open, such as event streams and uploads, is cut two seconds later; so it is if the key has other rights now. Templates use the new value of a secret from their next evaluation on; the old value stays masked, and a secret that is gone stays in force until the service ends. The \`key\` and \`weight\` of a limiter change by a restart only. Other variables, the keys in \`API_KEYS\` among them, are those of the start. A signal during the start is heard when that is over, one during the end is ignored.`,
  );
}
