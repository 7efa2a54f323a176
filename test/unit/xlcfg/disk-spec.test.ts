import { expect, test } from 'vitest';
import { parseDiskSpec } from '../../../xlcfg/disk-spec.ts';

test.each(['trusted', 'untrusted', 'grant_usage=1', 'grant_usage=0'])(
  '"%s", which the xl of Debian 13 knows, is no fifth field of a disk',
  (word) => {
    expect(parseDiskSpec(`/dev/vg01/a,raw,xvda,w,${word}`).disk).toMatchObject({ error: null, target: '/dev/vg01/a', vdev: 'xvda' });
    expect(parseDiskSpec(`${word},/dev/vg01/a,raw,xvda,w`).disk).toMatchObject({ error: null, target: '/dev/vg01/a', vdev: 'xvda' });
  },
);
