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
    `Sluice is configured by environment variables, all of them optional. They are checked when it starts: every fault is printed at once, and the process ends with code 78. A variable that is set to nothing counts as not set; one that is not in this table is ignored.`,
    table(['Variable', 'Takes', 'Default', 'What for'], rows),
    `Switches take \`true\`, \`false\`, \`1\` and \`0\`. Seconds may have fractions. Paths are relative to the working directory.`,
    '## Secrets',
    `\`SECRET_NAME\`, for any NAME of letters, digits and \`_\`, is what \`{{ secrets.NAME }}\` in the parameters of tasks stands for ([tasks](tasks.md#templates)). Its value has 4 characters or more and is masked in the log and in errors.`,
    '## Who can reach it',
    `Without keys nobody is asked who calls. So it listens on loopback, and refuses to start on any other address unless \`ALLOW_UNAUTHENTICATED=true\` says that something else guards the network. With \`API_KEYS\` or \`API_KEYS_FILE\` every route but \`/livez\`, \`/readyz\`, \`/openapi.json\` and \`/docs\` wants \`Authorization: Bearer slc_<name>_<secret>\`. The scope \`read\` looks; \`feed\` feeds and runs items, and looks at, waits for and cancels what keys of its own name fed; \`operate\` starts, pauses, tunes, retries and cancels; \`admin\` does everything; \`work\` is for a hand. A key with \`;pipelines=a+b\` is for these alone: lists and \`/events\` hold nothing of others, and what is about all is refused. \`;feedOptions=targetStage+rerun+priority\` lets a key with \`feed\` choose the stage to begin at, run items again that have ended, and give a priority below 100; so does \`feedOptions\` in a definition, for all such keys. The table of every route and scope is in [security](security.md#who-may-call-what). \`GET /whoami\` tells a key what it opens. Only the SHA-256 of a key is kept here, so that a configuration that leaks lets nobody in.`,
    `Without keys a browser on this machine could be made to speak for a page that it shows, by a name that resolves to 127.0.0.1 (DNS rebinding). So without keys every request whose \`Host\` is not \`localhost\`, a name that ends in \`.localhost\`, or an address of loopback, with any port, is a 421. \`ALLOWED_HOSTS\` adds names: those of a proxy that leaves \`Host\` as it came, say. Where \`ALLOW_UNAUTHENTICATED=true\` lets the service listen beyond loopback it also goes by the name in \`HOST\`, by every IP address and, as long as \`ALLOWED_HOSTS\` is not set, by names without a dot such as \`sluice\` in a compose file: no public DNS has such a name for somebody else’s page. Other names, \`sluice.default.svc.cluster.local\` for one, have to stand in \`ALLOWED_HOSTS\`. With keys \`Host\` may be anything: a page has no key.`,
    '## Definitions',
    `\`PIPELINES\` names a file or a folder. Of a folder, every \`.yaml\`, \`.yml\` and \`.json\` file is read, in the order of their names; subfolders are not. A file holds one definition, a list of them, an object \`{ "pipelines": [...] }\`, or several YAML documents of these. Keys that stand twice, unknown fields, unknown YAML tags and two definitions of one id are faults; each is printed with its file, line and JSON pointer. The default folder may be missing, a path that was set may not.`,
  );
}
