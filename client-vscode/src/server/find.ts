/** Asks the places one after the other whether a server is there. Knows nothing of VS Code. */

import type { Place } from "./places";
import { atLeast } from "./versions";

/** The oldest server this client can talk to. */
export const OLDEST = "0.1.0";

export interface Server extends Place {
  readonly version: string;
}

export type Answer = { readonly version: string } | { readonly reason: string };
export type Probe = (place: Place) => Promise<Answer>;

export interface Attempt {
  readonly place: Place;
  readonly reason: string;
}

export type Found =
  | { readonly kind: "found"; readonly server: Server }
  | { readonly kind: "old"; readonly server: Server }
  | { readonly kind: "missing"; readonly attempts: readonly Attempt[] };

/** The first server that is new enough; else the first that is too old; else why there is none. */
export async function find(places: readonly Place[], probe: Probe, oldest = OLDEST): Promise<Found> {
  const attempts: Attempt[] = [];
  let old: Server | undefined;
  for (const place of places) {
    const answer = await probe(place);
    if ("reason" in answer) {
      attempts.push({ place, reason: answer.reason });
      continue;
    }
    const server = { ...place, version: answer.version };
    if (atLeast(server.version, oldest)) {
      return { kind: "found", server };
    }
    old ??= server;
  }
  return old === undefined ? { kind: "missing", attempts } : { kind: "old", server: old };
}

export function sameServer(left: Server | undefined, right: Server | undefined): boolean {
  return (
    left?.command === right?.command && left?.version === right?.version && left?.args.join("\0") === right?.args.join("\0")
  );
}
