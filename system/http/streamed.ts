/** Answers whose body is passed on as it comes, by `serve`. Any other body is made whole first, and has its length. */

const STREAMED = new WeakSet<Response>();

/** Has an answer passed on as it comes. If its body fails, the connection is broken off: nobody takes the answer for whole. */
export function streamed(response: Response): Response {
  STREAMED.add(response);
  return response;
}

export function isStreamed(response: Response): boolean {
  return STREAMED.has(response);
}
