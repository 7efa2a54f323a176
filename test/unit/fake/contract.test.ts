import { describeDom0Contract } from '../../contract/dom0-contract.ts';
import { fakeDom0 } from '../activities/dom0/steps/support.ts';

describeDom0Contract('the fake', async () => {
  const dom0 = await fakeDom0();
  return {
    host: dom0.host(),
    vg: 'vg01',
    imageDir: '/home/xen',
    cleanup: () => {
      dom0.close();
      return Promise.resolve();
    },
  };
});
