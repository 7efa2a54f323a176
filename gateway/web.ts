/**
 * The gateway for platforms whose functions are Web-standard `fetch` handlers and have Node's modules (its connection to Temporal is gRPC over HTTP/2). Its
 * environment is that of the function for Lambda.
 */
import { gatewayFromEnvironment } from './from-environment.ts';

const gateway = gatewayFromEnvironment();

/** Answers a request. Rejects when the gateway cannot be put together: no secret, a file that is not good. */
export async function fetch(request: Request): Promise<Response> {
  return (await gateway())(request);
}

export default { fetch };
