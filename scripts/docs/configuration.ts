import { variables } from '../../src/config.ts';
import { code, page, table } from './markdown.ts';

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
    '## Secrets',
    `The variable \`SECRET_NAME\`, for any NAME of letters, digits and \`_\`, supplies \`{{ secrets.NAME }}\` in the parameters of tasks ([tasks](tasks.md#templates)). Its value must have at least 4 characters and is masked in the log and in errors.`,
    '## Who can reach it',
    `Without keys, callers are not authenticated. The service therefore listens on loopback, and refuses to start on any other address unless \`ALLOW_UNAUTHENTICATED=true\` states that the network is protected by other means. With \`API_KEYS\` or \`API_KEYS_FILE\` every route except \`/livez\`, \`/readyz\`, \`/openapi.json\`, \`/openapi/client.json\` and \`/docs\` requires \`Authorization: Bearer slc_<name>_<secret>\`. The scope \`read\` observes; \`feed\` feeds and runs items, and observes, waits for and cancels what keys of the same name fed; \`operate\` starts, pauses, tunes, retries and cancels; \`admin\` does everything; \`work\` is reserved for hands. A key with \`;pipelines=a+b\` is limited to these pipelines: lists and \`/events\` show no others, and requests that concern all pipelines are refused. \`;feedOptions=targetStage+rerun+priority\` allows a key with \`feed\` to choose the stage to start from, to run ended items again, and to use a priority below 100; \`feedOptions\` in a definition allows the same to all such keys. [security](security.md#who-may-call-what) lists every route with its scope. \`GET /whoami\` shows a key its own rights. The configuration holds only the SHA-256 of each key, so a leaked configuration admits nobody.`,
    `Without keys, a web page could make a browser on this machine send requests on its behalf, through a name that resolves to 127.0.0.1 (DNS rebinding). Therefore, without keys, the service answers 421 to every request whose \`Host\` is not \`localhost\`, a name that ends in \`.localhost\`, or a loopback address, with any port. \`ALLOWED_HOSTS\` adds names, such as that of a proxy that passes \`Host\` on unchanged. If \`ALLOW_UNAUTHENTICATED=true\` lets the service listen beyond loopback, it also accepts the name in \`HOST\`, every IP address and, unless \`ALLOWED_HOSTS\` is set, names without a dot, such as \`sluice\` in a compose file: public DNS does not resolve such names. List other names, such as \`sluice.default.svc.cluster.local\`, in \`ALLOWED_HOSTS\`. With keys, \`Host\` may be anything, because a page has no key.`,
    '## Definitions',
    `\`PIPELINES\` names a file or a folder. In a folder, all \`.yaml\`, \`.yml\` and \`.json\` files are read, in order of their names; subfolders are ignored. A file contains one definition, a list of definitions, an object \`{ "pipelines": [...] }\`, or several YAML documents of these. Duplicate keys, unknown fields, unknown YAML tags and two definitions with the same id are faults; each is printed with its file, line and JSON pointer. The default folder may be missing; a path that is set explicitly must exist.`,
  );
}
