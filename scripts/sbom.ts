/**
 * Writes the software bill of materials of what the image runs, as CycloneDX: the packages of production from the lockfile, the SQLite inside
 * better-sqlite3, and the base image of the Dockerfile with its Node.
 *
 *   npm run sbom -- [FILE]        FILE is sluice.cdx.json by default
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';

interface Component {
  'bom-ref': string;
  type: string;
  name: string;
  version: string;
  purl?: string;
  [key: string]: unknown;
}

interface Bom {
  metadata: { component: Component; [key: string]: unknown };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
  [key: string]: unknown;
}

// The script is run in the folder of the project; a relative name is one of the folder that the caller was in.
const target = resolve(process.env.INIT_CWD ?? '.', process.argv[2] ?? 'sluice.cdx.json');
const root = fileURLToPath(new URL('..', import.meta.url));

interface Locked {
  version: string;
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
}

/** `name@version` of what `npm ci --omit=dev --omit=optional` installs, as the Dockerfile has it. */
function installed(): Set<string> {
  const { packages } = JSON.parse(readFileSync(resolve(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> };
  const folder = 'node_modules/';
  const paths = Object.entries(packages).filter(
    ([path, { dev, optional, devOptional }]) => path.startsWith(folder) && !dev && !optional && !devOptional,
  );
  return new Set(paths.map(([path, { version }]) => `${path.slice(path.lastIndexOf(folder) + folder.length)}@${version}`));
}

/** `npm sbom --omit=dev` leaves out what packages of development use as well, such as zod: it lists all of them here, and the lockfile decides. */
function packages(): Bom {
  const flags = ['--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  const bom: Bom = JSON.parse(execFileSync('npm', ['sbom', ...flags], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }));
  const kept = installed();
  bom.components = bom.components.filter(({ name, version }) => kept.has(`${name}@${version}`));
  const refs = new Set([bom.metadata.component, ...bom.components].map((each) => each['bom-ref']));
  bom.dependencies = bom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
  return bom;
}

/** The SQLite that better-sqlite3 is compiled with: no package of its own, and the part that reads whatever is in a file. */
function sqlite(): Component {
  const db = new Database(':memory:');
  const version = db.prepare('SELECT sqlite_version()').pluck().get() as string;
  db.close();
  const purl = `pkg:generic/sqlite@${version}`;
  return {
    'bom-ref': purl,
    type: 'library',
    name: 'sqlite',
    version,
    scope: 'required',
    purl,
    licenses: [{ license: { id: 'blessing' } }],
  };
}

/** As the Dockerfile has it, which need not be what an image was built from: whoever gives another NODE_IMAGE names that one instead. */
function baseImage(): Component {
  const image = process.env.NODE_IMAGE ?? /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(resolve(root, 'Dockerfile'), 'utf8'))?.[1];
  const [, name = '', version = ''] = /^(.+):([^:/]+)$/.exec(image ?? '') ?? [];
  if (name === '') throw new Error(`the base image ${image} has no tag`);
  const purl = `pkg:docker/${name}@${version}`;
  return { 'bom-ref': purl, type: 'container', name, version, scope: 'required', purl };
}

const bom = packages();
// npm names it after its folder.
bom.metadata.component.name = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')).name;
const [engine, image] = [sqlite(), baseImage()];
bom.components.push(engine, image);
bom.dependencies.push({ ref: engine['bom-ref'], dependsOn: [] }, { ref: image['bom-ref'], dependsOn: [] });
const dependOn = (ref: string | undefined, on: Component): void => {
  const dependent = bom.dependencies.find((each) => each.ref === ref);
  if (dependent === undefined) throw new Error(`the bill has no ${ref}`);
  dependent.dependsOn = [...(dependent.dependsOn ?? []), on['bom-ref']];
};
dependOn(bom.components.find(({ name }) => name === 'better-sqlite3')?.['bom-ref'], engine);
dependOn(bom.metadata.component['bom-ref'], image);
writeFileSync(target, `${JSON.stringify(bom, null, 2)}\n`);
console.log(`${target}: ${bom.components.length} components`);
