import * as vscode from "vscode";

import { registerCommands } from "./commands";
import { Interpreters } from "./interpreters";
import { Retraining } from "./retraining/watch";
import { Results } from "./results/view";
import { registerRulePages } from "./ruleLinks";
import { Sessions } from "./sessions";
import { Status } from "./status";

let sessions: Sessions | undefined;

/** Nothing is awaited here: the server is looked for and started after VS Code has gone on. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("CodeHunch", { log: true });
  const trace = vscode.window.createOutputChannel("CodeHunch Messages", { log: true });
  const interpreters = new Interpreters();
  sessions = new Sessions(context, log, trace, interpreters);
  const status = new Status(sessions);
  const results = new Results();
  context.subscriptions.push(log, trace, interpreters, sessions, status, results, new Retraining(sessions, log), registerRulePages());
  registerCommands({ context, log, interpreters, sessions, results });
  sessions.follow();
}

export async function deactivate(): Promise<void> {
  await sessions?.stop();
}
