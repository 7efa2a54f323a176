/** The worker of a fake dom0 as a process of its own. Arguments: address of Temporal, folder for its files, port of its metrics, name of the dom0, a guest that cannot boot. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFakeDom0 } from '../../../fake/index.ts';
import { parseDom0Settings } from '../../../worker/dom0-settings.ts';
import { runDom0Worker } from '../../../worker/dom0.ts';
import { serveProcess } from '../../../worker/served-process.ts';
import { createLogger } from '../../../worker/logger.ts';
import { stopSignal } from '../../../worker/stop-signal.ts';
import { NETWORK } from './plants.ts';

const [address = '', directory = '', port = '0', name = '', broken = ''] = process.argv.slice(2);

const logger = createLogger('dom0');
const fake = await createFakeDom0({ directory, network: { ...NETWORK, bridge: 'xenbr0' } });
fake.faults.add({
  match: ({ name: tool, args }) => tool === 'xl' && args.includes('create') && args.some((word) => word.includes(broken)),
  kind: 'fail-always',
  stderr: 'libxl: error: a planted failure\n',
});
const settings = parseDom0Settings(
  {
    host: name,
    network: NETWORK,
    kernel: '/boot/vmlinuz-6.1.0-49-amd64',
    initrd: '/boot/initrd.img-6.1.0-49-amd64',
    shutdownGraceSeconds: 5,
  },
  'the test',
);
const served = await serveProcess(Number(port));
await runDom0Worker({
  settings,
  address,
  logger,
  signal: stopSignal(logger),
  host: fake.host(),
  watchesDomains: false,
  sdkMetricsAddress: served?.sdkAddress,
  onReady: (whyNot) => served?.setReadiness(whyNot),
});
writeFileSync(join(directory, 'calls.json'), JSON.stringify(fake.calls.map(({ tool, args }) => [tool, ...args])));
await served?.close();
