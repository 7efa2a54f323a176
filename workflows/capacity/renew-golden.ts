/**
 * The renewal of a dom0's golden images, one distribution after the other. What was there stays in use until all of the new is whole; what fails is removed.
 * Orders go first: each step gives way to them.
 */
import { ApplicationFailure, CancellationScope, isCancellation, log } from '@temporalio/workflow';
import type { GoldenImage, GoldenRenewal, GoldenSystem, RenewalWish } from '../../contract/golden.ts';
import { Operation, rootFailure } from '../saga/operation.ts';
import { dom0Steps, type Dom0Steps } from '../saga/proxies.ts';
import { givingWay } from './give-way.ts';

/** Renews what is wished. A distribution that fails does not keep the others from being renewed. */
export async function renewGolden(host: string, wish: RenewalWish): Promise<GoldenRenewal[]> {
  const all = await dom0Steps(host, host).host.listGolden(undefined);
  const wished = chosen(host, all, wish);
  const operation = new Operation(
    `Renewing golden images on **${host}**`,
    wished.flatMap(({ dist, systems }) => [`${dist}: tarball`, ...systems.map((_, index) => rootStep(dist, index)), `${dist}: use`]),
  );
  const outcomes: GoldenRenewal[] = [];
  for (const image of wished) outcomes.push(await new Renewal(host, image, operation).run());
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

function rootStep(dist: string, index: number): string {
  return `${dist}: root ${index + 1}`;
}

/** Of one distribution. */
class Renewal {
  private readonly host: string;
  private readonly image: GoldenImage;
  private readonly operation: Operation;
  private readonly steps: Dom0Steps;

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
      for (const [index, system] of systems.entries()) await this.root(rootStep(dist, index), system);
      const used = await this.step(`${dist}: use`, () => this.steps.host.useNextGolden({ dist }));
      return { dist, createdAt: used.createdAt, roots: systems.length };
    } catch (error) {
      await this.discard();
      if (isCancellation(error)) throw error;
      return { dist, createdAt, roots: 0, problem: rootFailure(error).message };
    }
  }

  private async root(name: string, system: GoldenSystem): Promise<void> {
    await this.step(name, () => this.steps.bulk.renewGoldenRoot({ system }), madeAt);
  }

  private async step<T>(name: string, work: () => Promise<T>, say?: (made: T) => string): Promise<T> {
    return this.operation.step(name, () => givingWay(this.host, this.operation.onWaiting, work), [], say);
  }

  /** What it has made goes. If that fails, an audit shows what is left, and `--clean` removes it. */
  private async discard(): Promise<void> {
    const { dist } = this.image;
    await CancellationScope.nonCancellable(() => this.steps.undoBulk.discardNextGolden({ dist })).catch((error: unknown) => {
      log.warn('what a renewal has made could not be removed', { dist, reason: rootFailure(error).message });
    });
  }
}

function madeAt({ createdAt }: { readonly createdAt: string }): string {
  return `made ${createdAt}`;
}
