/** `npm run package:dom0`: builds the dom0 worker's Debian package and says where it is. */
import { buildDom0Package } from '../deploy/package.ts';

const { file, sha256, bytes, reused } = await buildDom0Package();
process.stdout.write(
  `${file}\n${(bytes / 1e6).toFixed(1)} MB, sha256 ${sha256}${reused ? ' (built before, from the same sources)' : ''}\n`,
);
