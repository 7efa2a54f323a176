/**
 * The renewal of a dom0's golden images, one distribution after the other. What was there stays in use until all of the new is whole; what fails is removed.
 * Orders go first: each step gives way to them.
 */
import { ApplicationFailure, CancellationScope, isCancellation, log } from '@temporalio/workflow';
import { GOLDEN } from '../../contract/dom0.ts';
import { RENEWAL_ORDER, type GoldenImage, type GoldenRenewal, type GoldenSystem, type RenewalWish } from '../../contract/golden.ts';
import { Operation, rootFailure } from '../saga/operation.ts';
import { control, dom0Steps, type Dom0Steps } from '../saga/proxies.ts';
import { givingWay } from './give-way.ts';

/** Types of failures that say nothing of the images. */
const PASSING: ReadonlySet<string> = new Set(['Busy', 'NoCapacity', 'Unreachable']);

/** Renews what is wished. A distribution that fails does not keep the others from being renewed. */
export async function renewGolden(host: string, wish: RenewalWish): Promise<GoldenRenewal[]> {
  const all = await dom0Steps(host, host).host.listGolden(undefined);
  const wished = chosen(host, all, wish);
  if (wish.isBack === true) return bringBack(host, wished);
  const operation = new Operation(`Renewing golden images on **${host}**`, wished.flatMap(stepsOf));
  const outcomes: GoldenRenewal[] = [];
  for (const image of wished) outcomes.push(await new Renewal(host, image, operation).run());
  if (outcomes.length > 0) await control.tellRenewal({ dom0: host, outcomes });
  return outcomes;
}

function chosen(host: string, all: readonly GoldenImage[], { dist, isDueOnly }: RenewalWish): readonly GoldenImage[] {
  const wished = all.filter((image) => (dist === undefined || image.dist === dist) && (isDueOnly !== true || image.isDue));
  if (dist === undefined || all.some((image) => image.dist === dist)) return wished;
  const there = all.map((image) => image.dist).join(', ');
  throw ApplicationFailure.create({
    type: 'NotFound',
    nonRetryable: true,
    message: `dom0 ${host} has no golden image of ${dist}: ${there === '' ? 'it has none' : `it has ${there}`}; the first order makes it`,
    details: [{ field: 'dist', value: dist }],
  });
}

/** Brings the former golden image of a distribution back. */
async function bringBack(host: string, [image]: readonly GoldenImage[]): Promise<GoldenRenewal[]> {
  if (image?.former === undefined)
    throw ApplicationFailure.create({
      type: 'NotFound',
      nonRetryable: true,
      message: `dom0 ${host} has no former golden image${image === undefined ? '' : ` of ${image.dist}`}: only a renewal leaves one`,
      details: [{ field: 'dist' }],
    });
  const { dist, former: sha256, systems } = image;
  const operation = new Operation(`Bringing the former golden image of **${dist}** back on ${host}`, [`${dist}: back`]);
  const { host: steps } = dom0Steps(host, `golden ${dist}`, operation.onWaiting);
  const { createdAt } = await operation.step(`${dist}: back`, () => steps.bringBackGolden({ dist, sha256 }));
  return [{ dist, createdAt, roots: systems.length }];
}

function stepsOf({ dist, systems }: GoldenImage): string[] {
  const roots = systems.flatMap((_, index) => [`${dist}: root ${index + 1}`, `${dist}: boot ${index + 1}`]);
  return [`${dist}: tarball`, ...roots, `${dist}: use`];
}

/** Of one distribution. */
class Renewal {
  private readonly host: string;
  private readonly image: GoldenImage;
  private readonly operation: Operation;
  private readonly steps: Dom0Steps;
  /** There may be something of a trial. */
  private isTried = false;

  constructor(host: string, image: GoldenImage, operation: Operation) {
    this.host = host;
    this.image = image;
    this.operation = operation;
    this.steps = dom0Steps(host, `golden ${image.dist}`, operation.onWaiting);
  }

  async run(): Promise<GoldenRenewal> {
    const { dist, createdAt, systems } = this.image;
    try {
      await this.step(`${dist}: tarball`, () => this.steps.bulk.renewTarball({ dist }), madeAt);
      for (const [index, system] of systems.entries()) await this.root(index + 1, system);
      const used = await this.step(`${dist}: use`, () => this.steps.host.useNextGolden({ dist }));
      return { dist, createdAt: used.createdAt, roots: systems.length };
    } catch (error) {
      await this.discard();
      if (isCancellation(error)) throw error;
      const { type, message } = rootFailure(error);
      return { dist, createdAt, roots: 0, problem: message, ...(PASSING.has(type) ? { isLeftForLater: true } : {}) };
    }
  }

  /** Makes one, and starts a machine from it: it is used only if that shows its login. */
  private async root(number: number, system: GoldenSystem): Promise<void> {
    const { dist } = this.image;
    await this.step(`${dist}: root ${number}`, () => this.steps.bulk.renewGoldenRoot({ system }), madeAt);
    const { what, seconds } = await this.operation.step(
      `${dist}: boot ${number}`,
      () =>
        givingWay(
          this.host,
          this.operation.onWaiting,
          () => this.boot(system),
          () => this.endTrial(),
        ),
      [],
      (seen) => `"${seen.what}" after ${seen.seconds} s`,
    );
    log.info('a golden root file system has shown its login', { dist, what, seconds });
  }

  private async boot(system: GoldenSystem): Promise<{ readonly what: string; readonly seconds: number }> {
    this.isTried = true;
    await control.reserveGolden({ dom0: this.host, system });
    await this.steps.bulk.makeGoldenTrial({ system });
    const seen = await this.steps.host.bootGoldenTrial({ system });
    await this.endTrial();
    return seen;
  }

  /** Its memory is free at once. What it takes is given back when all of it is gone. */
  private async endTrial(): Promise<void> {
    const { dist } = this.image;
    await CancellationScope.nonCancellable(async () => {
      await this.steps.undo.stopGoldenTrial({ dist });
      await this.steps.undoBulk.endGoldenTrial({ dist });
      await control.leaveDom0({ name: `${GOLDEN}${dist}`, order: RENEWAL_ORDER, dom0: this.host });
    });
    this.isTried = false;
  }

  private async step<T>(name: string, work: () => Promise<T>, say?: (made: T) => string): Promise<T> {
    return this.operation.step(name, () => givingWay(this.host, this.operation.onWaiting, work), [], say);
  }

  /** What it has made goes, each on its own. If that fails, an audit shows what is left, and `--clean` removes it. */
  private async discard(): Promise<void> {
    const { dist } = this.image;
    const removals = [...(this.isTried ? [() => this.endTrial()] : []), () => this.steps.undoBulk.discardNextGolden({ dist })];
    for (const remove of removals)
      await CancellationScope.nonCancellable(remove).catch((error: unknown) => {
        log.warn('what a renewal has made could not be removed', { dist, reason: rootFailure(error).message });
      });
  }
}

function madeAt({ createdAt }: { readonly createdAt: string }): string {
  return `made ${createdAt}`;
}
