/** `npm run package:lambda`: builds the packages of the control worker and of the gateway for AWS Lambda, and says where they are. */
import { FUNCTIONS } from '../deploy/serverless/files.ts';
import { buildFunctionPackage } from '../deploy/serverless/package.ts';

for (const name of FUNCTIONS) {
  const { file, sbomFile, sha256, bytes, buildId, reused } = await buildFunctionPackage(name);
  const facts = `${(bytes / 1e6).toFixed(1)} MB, build id ${buildId}, sha256 ${sha256}`;
  process.stdout.write(`${file}\n  ${facts}${reused ? ' (built before, from the same sources)' : ''}\n  ${sbomFile}\n`);
}
