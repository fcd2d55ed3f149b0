import * as vscode from "vscode";

import { copyDebugInformation } from "./debugInformation";
import { generateBody } from "./editing/generate";
import { pickCandidate } from "./editing/picker";
import type { Interpreters } from "./interpreters";
import { showModelCard } from "./modelCard";
import { install, repair } from "./repair";
import { scanWorkspace } from "./results/scan";
import type { Results } from "./results/view";
import { openRule } from "./ruleLinks";
import type { Sessions } from "./sessions";

/** What commands work with. */
export interface Surface {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly interpreters: Interpreters;
  readonly sessions: Sessions;
  readonly results: Results;
}

export function registerCommands(surface: Surface): void {
  const { context, log, sessions, results } = surface;
  const commands: Record<string, (...args: unknown[]) => unknown> = {
    restart: async () => {
      sessions.restart();
      await sessions.settled();
    },
    showLogs: () => { log.show(); },
    copyDebugInformation: () => copyDebugInformation(surface),
    generateBody: () => generateBody(sessions),
    pickCandidate: () => pickCandidate(sessions),
    scanWorkspace: () => scanWorkspace(surface),
    clearResults: () => { results.clear(); },
    openResult: (item) => results.open(item),
    showModelCard: () => showModelCard(sessions),
    createEnvironment: () => install(surface),
    repair: (how) => repair(surface, how),
    openRule,
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(`codehunch.${name}`, run));
  }
}
