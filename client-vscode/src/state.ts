/** What a session may be up to, and how that reads in the language status. Knows nothing of VS Code. */

import { OLDEST, type Attempt, type Server } from "./server/find";

export type State =
  | { readonly kind: "looking" }
  | { readonly kind: "starting"; readonly server: Server }
  | { readonly kind: "ready"; readonly server: Server; readonly models: string }
  | { readonly kind: "busy"; readonly server: Server; readonly doing: string }
  | { readonly kind: "degraded"; readonly server: Server; readonly problem: string }
  | { readonly kind: "crashed"; readonly server: Server }
  | { readonly kind: "old"; readonly server: Server }
  | { readonly kind: "missing"; readonly attempts: readonly Attempt[]; readonly trusted: boolean };

export interface Shown {
  readonly text: string;
  readonly detail: string;
  readonly severity: "information" | "warning" | "error";
  readonly busy: boolean;
  /** Title and name of the command behind the button. */
  readonly button: readonly [title: string, command: string];
}

const LOGS = ["Show logs", "codehunch.showLogs"] as const;
const RESTART = ["Restart", "codehunch.restart"] as const;
const REPAIR = ["What to do", "codehunch.repair"] as const;

export function shown(state: State): Shown {
  switch (state.kind) {
    case "looking":
      return row("CodeHunch", "looking for the server", "information", LOGS, true);
    case "starting":
      return row("CodeHunch", "starting", "information", LOGS, true);
    case "ready":
      return row(`CodeHunch ${state.server.version}`, state.models || place(state.server), "information", LOGS);
    case "busy":
      return row("CodeHunch", state.doing, "information", LOGS, true);
    case "degraded":
      return row("CodeHunch: degraded", state.problem, "warning", RESTART);
    case "crashed":
      return row("CodeHunch: stopped", "the server ended several times in a row", "error", RESTART);
    case "old":
      return row(
        "CodeHunch: server too old",
        `${state.server.version} at ${state.server.command}; ${OLDEST} or newer is needed`,
        "error",
        REPAIR,
      );
    case "missing":
      return row("CodeHunch: no server", missing(state.attempts, state.trusted), "error", REPAIR);
  }
}

/**
 * Names of the loaded models in the server's debug information; empty while none is loaded, and undefined where the
 * worker was too busy to tell.
 */
export function modelsIn(information: unknown): string | undefined {
  const worker = field(information, "worker");
  if (typeof worker === "string") {
    return undefined;
  }
  const bundles = field(worker, "bundles");
  return typeof bundles === "object" && bundles !== null ? Object.values(bundles).flat().join(", ") : "";
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function missing(attempts: readonly Attempt[], trusted: boolean): string {
  const last = attempts.at(-1);
  const why = last === undefined ? "codehunch is not installed" : `${last.place.command}: ${last.reason}`;
  return trusted ? why : `${why}; the interpreter of this folder is not asked until you trust the workspace`;
}

function place(server: Server): string {
  return `${server.command}${server.args.length > 0 ? " -m codehunch" : ""}`;
}

function row(text: string, detail: string, severity: Shown["severity"], button: Shown["button"], busy = false): Shown {
  return { text, detail, severity, button, busy };
}
