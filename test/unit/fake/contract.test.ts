import { describeDom0Contract } from '../../contract/dom0-contract.ts';
import { fakeDom0 } from '../activities/dom0/steps/support.ts';

describeDom0Contract('the fake', async () => {
  const dom0 = await fakeDom0({ thinPool: { name: 'guests', bytes: 4 * 2 ** 30 } });
  return {
    host: dom0.host(),
    vg: 'vg01',
    thinPool: 'guests',
    imageDir: '/home/xen',
    cleanup: () => {
      dom0.close();
      return Promise.resolve();
    },
  };
});
