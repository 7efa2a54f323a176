import { expect, test } from 'vitest';
import { parseVifSpec } from '../../../xlcfg/vif-spec.ts';

/** As libxlutil of Xen 4.17 says (`test/host/xlcfg-oracle.test.ts` asks it). */
test.each([
  ['10Mb/s', undefined],
  ['1GB/s@20ms', undefined],
  ['10Mb/s@50', undefined],
  ['4294967295B/s', undefined],
  ['100kb/s', /10Mb\/s/],
  ['1.5Mb/s', /10Mb\/s/],
  ['10Mbps', /10Mb\/s/],
  ['0Mb/s', /more than 0/],
  ['10Mb/s@0ms', /more than 0/],
  ['08Mb/s', /octal/],
  ['4294967296B/s', /so much/],
  ['10Mb/s@4295s', /so much/],
  ['368935GB/s', /so much/],
])('rate=%s of a vif is what xl says of it', (rate, reason) => {
  const { faults } = parseVifSpec(`bridge=br0,rate=${rate}`);
  expect(faults).toEqual(reason === undefined ? [] : [{ effect: 'refused', reason: expect.stringMatching(reason) as unknown }]);
});
