import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeAll, describe, expect, it } from 'vitest';
import { folderWith } from './loader/folder.ts';

interface Component {
  'bom-ref': string;
  type: string;
  name: string;
  version: string;
  purl: string;
  hashes?: { alg: string; content: string }[];
  licenses?: { license?: { id?: string; name?: string }; expression?: string }[];
}
interface Bom {
  bomFormat: string;
  specVersion: string;
  serialNumber: string;
  version: number;
  metadata: { timestamp: string; component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}
interface Locked {
  version: string;
  /** Installed from a folder: Node itself, for development. */
  link?: boolean;
  dev?: boolean;
  optional?: boolean;
  devOptional?: boolean;
  integrity?: string;
}

const { name, version, license } = JSON.parse(readFileSync('package.json', 'utf8'));
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };
/** What `npm ci --omit=dev --omit=optional` installs, as the Dockerfile does. */
const installed = Object.entries(packages)
  .filter(([path, { link, dev, optional, devOptional }]) => path.startsWith('node_modules/') && !link && !dev && !optional && !devOptional)
  .map(([path, locked]) => ({ ...locked, name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length) }));

describe('npm run sbom', () => {
  let bom: Bom;
  const tidy: (() => void)[] = [];
  beforeAll(() => {
    const folder = folderWith({}, (undo) => tidy.push(undo));
    const file = join(folder, 'sluice.cdx.json');
    execFileSync(process.execPath, ['scripts/sbom.ts', file], { stdio: 'pipe' });
    bom = JSON.parse(readFileSync(file, 'utf8'));
    for (const undo of tidy) undo();
  }, 60_000);

  it('writes CycloneDX about this version', () => {
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: expect.stringMatching(/^1[.][5-9]$/), version: 1 });
    expect(bom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(Date.parse(bom.metadata.timestamp)).toBeGreaterThan(0);
    expect(bom.metadata.component).toMatchObject({ type: 'application', name, version, purl: `pkg:npm/${name}@${version}` });
    expect(bom.metadata.component.licenses).toEqual([{ license: { id: license } }]);
  });

  it('names each package that the image installs, with its checksum, and no other', () => {
    expect(installed.length).toBeGreaterThan(50);
    const found = bom.components.filter(({ purl }) => purl.startsWith('pkg:npm/'));
    const keyOf = (each: { name: string; version: string }): string => `${each.name}@${each.version}`;
    expect(found.map(keyOf).sort()).toEqual([...new Set(installed.map(keyOf))].sort());
    const integrities = new Map(installed.map((each) => [keyOf(each), each.integrity]));
    for (const each of found) {
      const [hash] = each.hashes ?? [];
      expect(hash?.alg, each.name).toBe('SHA-512');
      expect(`sha512-${Buffer.from(String(hash?.content), 'hex').toString('base64')}`, each.name).toBe(integrities.get(keyOf(each)));
      expect(each.licenses?.length, each.name).toBeGreaterThan(0);
    }
  });

  it('names what npm does not know: the SQLite inside, and the base image', () => {
    const db = new Database(':memory:');
    const sqlite = db.prepare('SELECT sqlite_version()').pluck().get();
    db.close();
    const dependsOn = (ref: string): string[] => bom.dependencies.find((each) => each.ref === ref)?.dependsOn ?? [];
    const engine = bom.components.find((each) => each.name === 'better-sqlite3') as Component;
    expect(dependsOn(engine['bom-ref'])).toContain(`pkg:generic/sqlite@${sqlite}`);
    const [, image = ''] = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? [];
    expect(dependsOn(bom.metadata.component['bom-ref'])).toContain(`pkg:docker/${image.replace(':', '@')}`);
  });

  it('refers to nothing that it does not name, and names nothing twice', () => {
    const refs = [bom.metadata.component, ...bom.components].map((each) => each['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    const dependents = bom.dependencies.map(({ ref }) => ref);
    expect([...dependents].sort()).toEqual([...refs].sort());
    for (const { ref, dependsOn = [] } of bom.dependencies) {
      expect(
        dependsOn.filter((each) => !refs.includes(each)),
        ref,
      ).toEqual([]);
      expect(new Set(dependsOn).size, ref).toBe(dependsOn.length);
    }
  });
});
