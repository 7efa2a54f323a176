/** Makes a Web-standard `fetch` handler of routes: it finds the route, checks the query, and turns what is thrown into an answer. */
import { problemResponse, HttpRefusal } from './problem.ts';
import { checkQuery, findRoute, type Route } from './router.ts';

export type Handler = (request: Request) => Promise<Response>;

/** What is known of a request once it is answered. */
export interface Answered {
  readonly method: string;
  readonly status: number;
  readonly ms: number;
  /** What the route has noted, and `route`: the path of the route. The path of the request is not noted, since the sender chooses it. */
  readonly notes: Readonly<Record<string, unknown>>;
}

export interface HandlerOptions {
  readonly routes: readonly Route[];
  /** What an error is that is no `HttpRefusal`. */
  readonly refuse: (error: unknown, notes: Readonly<Record<string, unknown>>) => HttpRefusal;
  /** The answer to a request that is refused. Default, also where it gives undefined: a problem document. */
  readonly present?: ((refusal: HttpRefusal, request: Request) => Response | undefined) | undefined;
  /** Told of each request. */
  readonly onAnswer?: (answered: Answered) => void;
}

/** Makes the handler. It throws nothing. */
export function createHandler({ routes, refuse, present, onAnswer }: HandlerOptions): Handler {
  return async (request) => {
    const began = performance.now();
    const notes: Record<string, unknown> = {};
    const response = await answer(request, routes, notes).catch((error: unknown) => {
      const refusal = error instanceof HttpRefusal ? error : refuse(error, notes);
      notes['problem'] = refusal.code;
      return present?.(refusal, request) ?? problemResponse(refusal);
    });
    onAnswer?.({ method: request.method, status: response.status, ms: Math.round(performance.now() - began), notes });
    return response;
  };
}

async function answer(request: Request, routes: readonly Route[], notes: Record<string, unknown>): Promise<Response> {
  const url = new URL(request.url);
  const { route, path } = findRoute(routes, request.method, url.pathname);
  notes['route'] = route.path;
  checkQuery(route, url);
  return route.handle({ request, url, path, note: (fields) => Object.assign(notes, fields) });
}
