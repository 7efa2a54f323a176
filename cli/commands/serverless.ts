/** `guestflow serverless …`. */
import type { Command } from 'commander';
import { withServer, type Context, type ServerOptions } from '../context.ts';
import { DEFAULT_DEPLOYMENT } from '../../contract/deployment.ts';

/** Which build, and where its function is. */
export interface ServerlessOptions extends ServerOptions {
  readonly deployment: string;
  readonly package?: string;
  readonly buildId?: string;
  readonly function?: string;
  readonly role?: string;
  readonly externalId?: string;
}

const ROLL_OUT = `Makes a build of the control worker's function current, in the order that loses nothing: Temporal is told of the build, and asks AWS whether it may
invoke it; its worker must have polled; then it gets the work. Operations that run stay with the build that they began with. Former builds that no operation needs any more are removed.
The stack of deploy/serverless/guestflow.yaml has this command in its output RollOut.`;

const PLAN = 'Shows the builds that Temporal knows, and what a roll-out would do. Changes nothing.';

const ROLL_BACK = 'Makes a former build current again, by default the newest other one. It must have served before.';

export function registerServerless(program: Command, context: Context): void {
  const { io } = context;
  const serverless = program
    .command('serverless')
    .summary("builds of the control worker's function, and which is current")
    .helpCommand(false);
  const withDeployment = (command: Command): Command =>
    withServer(command).option('--deployment <NAME>', "name of the control workers' deployment", DEFAULT_DEPLOYMENT);
  const withBuild = (command: Command): Command =>
    withDeployment(command)
      .option('--package <ZIP>', 'the package that was uploaded (npm run package:lambda makes it): names the build')
      .option('--build-id <ID>', 'the build, where the package is not at hand')
      .option('--function <ARN>', 'its function, with a published version or an alias')
      .option('--role <ARN>', 'the role that Temporal takes on to invoke it')
      .option('--external-id <ID>', "what the role's trust policy asks for");
  withBuild(serverless.command('plan').summary('what a roll-out would do').description(PLAN)).action(
    context.action(async (options: ServerlessOptions) => (await import('../serverless.ts')).plan(io, options)),
  );
  withBuild(serverless.command('roll-out').summary('make a build current').description(ROLL_OUT)).action(
    context.action(async (options: ServerlessOptions) => (await import('../serverless.ts')).rollOutBuild(io, options)),
  );
  withDeployment(serverless.command('roll-back').summary('make a former build current again').description(ROLL_BACK))
    .option('--build-id <ID>', 'the former build (default: the newest other one that has served)')
    .action(context.action(async (options: ServerlessOptions) => (await import('../serverless.ts')).rollBackBuild(io, options)));
}
