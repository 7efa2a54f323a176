/** mmdebstrap on the fake dom0: a golden root tarball that is whole when its last line is there. */
import { PART_SUFFIX } from '../system/host.ts';
import { failed, matchArgs, type Invocation, type Simulation, type ToolOutput } from './tool.ts';

const GOLDEN_MAGIC = 'guestflow-fake-golden';
export const GOLDEN_END = 'end of tarball\n';

export function mmdebstrap(call: Invocation): Simulation | ToolOutput | undefined {
  const how = '--mode=root --variant=minbase --format=tar --aptopt=<apt> --dpkgopt=force-unsafe-io';
  // The hook holds blanks: it is taken out before the rest is compared.
  const hook = call.args.find((arg) => arg.startsWith('--customize-hook='));
  const found = matchArgs(
    call.args.filter((arg) => arg !== hook),
    `${how} --include=<packages> <dist> <path> <sources>`,
  );
  return hook === undefined || found === undefined ? undefined : makeTarball(call, found);
}

function* makeTarball({ machine }: Invocation, found: Record<string, string>): Simulation {
  const { dist = '', path = '', sources = '', packages = '' } = found;
  const progress = (text: string): string => `I: ${text}\n`;
  if (!(machine.readText(sources) ?? '').includes(` ${dist} `)) return failed(25, `E: apt-get update failed: no source has ${dist}`);
  yield { done: 0, stderr: progress('automatically chosen format: tar') };
  if (machine.writeProblem() !== undefined) return failed(28, `E: cannot write ${path}: ${machine.writeProblem() ?? ''}`);
  yield { done: 0.3, stderr: progress('downloading packages with apt...') };
  machine.writeText(path, `${GOLDEN_MAGIC} ${dist}\n`, 0o600);
  yield { done: 0.6, stderr: progress('installing packages...') };
  machine.writeText(path, `${GOLDEN_MAGIC} ${dist}\n${packages}\n`, 0o600);
  yield { done: 0.9, stderr: progress('creating tarball...') };
  if (machine.writeProblem() !== undefined) return failed(28, `E: cannot write ${path}: ${machine.writeProblem() ?? ''}`);
  // One that is made in the place of another differs from it, if only by the times of its files.
  const former = machine.readText(path.replace(PART_SUFFIX, '')) ?? '';
  const number = Number(/\n(\d+)\n[^\n]*\n$/.exec(former)?.[1] ?? 0) + 1;
  machine.writeText(path, `${GOLDEN_MAGIC} ${dist}\n${packages}\n${String(number)}\n${GOLDEN_END}`, 0o600);
  return { code: 0, stderr: progress('success in 45.1 seconds') };
}
