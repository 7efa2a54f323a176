/** Grafana's dashboards of guestflow. */
import { BILLING } from './billing.ts';
import { build } from './board.ts';
import { DOM0 } from './dom0.ts';
import { FLEET } from './fleet.ts';
import { NIGHTS } from './nights.ts';

/** Each dashboard, by the name of its file. */
export const DASHBOARDS: Readonly<Record<string, ReturnType<typeof build>>> = Object.fromEntries(
  Object.entries({ fleet: FLEET, dom0: DOM0, nights: NIGHTS, billing: BILLING }).map(([name, board]) => [`${name}.json`, build(board)]),
);
