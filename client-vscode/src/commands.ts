import * as vscode from "vscode";

import { copyDebugInformation } from "./debugInformation";
import { active, generateBody } from "./editing/generate";
import { pickCandidate } from "./editing/picker";
import type { Interpreters } from "./interpreters";
import { showModelCard } from "./modelCard";
import { install, repair } from "./repair";
import { scanWorkspace } from "./results/scan";
import type { Results } from "./results/view";
import { showTrainingReport } from "./retraining/watch";
import type { Sessions } from "./sessions";

/** What commands work with. */
export interface Surface {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly interpreters: Interpreters;
  readonly sessions: Sessions;
  readonly results: Results;
}

/** Run a command of the server that serves the document named by the one argument; code actions carry such commands. */
async function forward(sessions: Sessions, name: string, where: unknown): Promise<void> {
  const uri = (where as { uri?: string } | undefined)?.uri;
  const document = vscode.workspace.textDocuments.find((each) => each.uri.toString() === uri)
    ?? vscode.window.activeTextEditor?.document;
  try {
    await sessions.serving(document)?.session?.command(name, where);
  } catch (error) {
    void vscode.window.showInformationMessage(`CodeHunch: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Show what was dismissed in the active file again. */
async function restoreDismissed(sessions: Sessions): Promise<void> {
  const here = active(sessions);
  if (here !== undefined) {
    const uri = here.session.requests.code2ProtocolConverter.asUri(here.editor.document.uri);
    await forward(sessions, "codehunch.restoreDismissed", { uri });
  }
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
    showTrainingReport: () => showTrainingReport(sessions),
    createEnvironment: () => install(surface),
    repair: (how) => repair(surface, how),
    dismissFinding: (where) => forward(sessions, "codehunch.dismissFinding", where),
    confirmFinding: (where) => forward(sessions, "codehunch.confirmFinding", where),
    restoreDismissed: () => restoreDismissed(sessions),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(`codehunch.${name}`, run));
  }
}
