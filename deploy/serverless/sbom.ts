/** What a function's package is made of, as a CycloneDX document. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Contrib, Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';

interface Subject {
  readonly name: string;
  readonly version: string;
}

/**
 * The document (CycloneDX 1.6, JSON). It has no time and no serial number, so that it is the same for the same packages.
 *
 * @param packages folders of bundled npm packages, below `root`.
 */
export async function sbom(root: string, subject: Subject, packages: readonly string[]): Promise<string> {
  const bom = new Models.Bom();
  const main = component(Enums.ComponentType.Application, { ...subject, license: 'MIT' });
  bom.metadata.component = main;
  for (const folder of packages) {
    const library = component(
      Enums.ComponentType.Library,
      JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as Subject & { license?: string },
    );
    bom.components.add(library);
    main.dependencies.add(library.bomRef);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** What is no expression of SPDX is taken as the licence's name. */
const licenses = new Contrib.License.Factories.LicenseFactory((text) => {
  if (!/^\(?[\w.+-]+( (AND|OR|WITH) [\w.+-]+)*\)?$/.test(text)) throw new RangeError('no expression');
});

function component(type: Enums.ComponentType, { name, version, license }: Subject & { readonly license?: string }): Models.Component {
  const [, group, base = name] = /^(?:(@[^/]+)\/)?(.+)$/.exec(name) ?? [];
  const purl = `pkg:npm/${group === undefined ? '' : `${encodeURIComponent(group)}/`}${base}@${version}`;
  const made = new Models.Component(type, base, { group, version, bomRef: purl, purl });
  if (license !== undefined) made.licenses.add(licenses.makeFromString(license));
  return made;
}
