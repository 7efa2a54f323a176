/** Names of a worker deployment: which control worker serves, and which of its builds. Pure. */

/** Name of the control workers' deployment where nothing says otherwise. */
export const DEFAULT_DEPLOYMENT = 'guestflow';

/** What a function's package says of itself, in its `package.json`. */
export interface FunctionManifest {
  readonly name: string;
  readonly version: string;
  readonly guestflow: { readonly buildId: string };
}

/** Build ids of packages are the first characters of a SHA-256. */
export const BUILD_ID_LENGTH = 12;

/** The build id that a package's `package.json` names; undefined when it is not one of `npm run package:lambda`. */
export function buildIdOf(manifest: string): string | undefined {
  const { guestflow } = JSON.parse(manifest) as Partial<FunctionManifest>;
  const buildId = guestflow?.buildId;
  return buildId !== undefined && new RegExp(`^[0-9a-f]{${BUILD_ID_LENGTH}}$`).test(buildId) ? buildId : undefined;
}
