import * as vscode from "vscode";

import type { Surface } from "../commands";
import type { Session } from "../session";
import { start } from "../server/processes";
import { checkOptions, explicitSettings } from "../settings";
import { RowReader, type Row } from "./rows";

/** Exit codes of `codehunch check` that mean that it came to its end. */
const COMPLETE = [0, 1];

/** Check every file of the workspace, as the command line does, and show the findings as they come. */
export async function scanWorkspace({ log, sessions, results }: Surface): Promise<void> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  const jobs = folders.flatMap((folder) => {
    const session = sessions.running.find((each) => each.folder === folder) ?? sessions.running[0];
    return session === undefined ? [] : [{ folder, session }];
  });
  if (jobs.length === 0) {
    void vscode.window.showInformationMessage("CodeHunch: open a folder, and a file in it that CodeHunch serves.");
    return;
  }
  results.clear();
  let count = 0;
  const options = { location: vscode.ProgressLocation.Notification, title: "CodeHunch: scanning", cancellable: true };
  const problems = await vscode.window.withProgress(options, async (progress, token) => {
    const failures: string[] = [];
    for (const { folder, session } of jobs) {
      progress.report({ message: `${folder.name}, ${findings(count)}` });
      const failure = await check(session, folder, log, token, (rows) => {
        count += rows.length;
        results.add(rows);
        progress.report({ message: `${folder.name}, ${findings(count)}` });
      });
      failures.push(...failure);
    }
    return token.isCancellationRequested ? ["it was stopped"] : failures;
  });
  await results.reveal(count);
  const summary = `CodeHunch: ${findings(count)} in the workspace`;
  const message = problems.length === 0 ? `${summary}.` : `${summary}; not complete: ${problems.join("; ")}`;
  void vscode.window.showInformationMessage(message);
}

function findings(count: number): string {
  return count === 1 ? "1 finding" : `${count} findings`;
}

/** Check one folder. Gives back why it is not complete; nothing where it is. */
function check(
  { server }: Session,
  folder: vscode.WorkspaceFolder,
  log: vscode.LogOutputChannel,
  token: vscode.CancellationToken,
  found: (rows: Row[]) => void,
): Promise<string[]> {
  const settings = checkOptions(explicitSettings(vscode.workspace.getConfiguration("codehunch", folder)));
  const child = start(server.command, [...server.args, "check", "--format", "json", ...settings, folder.uri.fsPath]);
  const stopping = token.onCancellationRequested(() => child.kill());
  const reader = new RowReader();
  let told = "";
  child.stdout.setEncoding("utf-8").on("data", (text: string) => { found(reader.feed(text)); });
  child.stderr.setEncoding("utf-8").on("data", (text: string) => {
    told = text.trim().split("\n").at(-1) ?? told;
    log.info(text.trimEnd());
  });
  return new Promise((resolve) => {
    child.on("error", (error) => { resolve([error.message]); });
    child.on("close", (code) => {
      stopping.dispose();
      found(reader.end());
      resolve(code !== null && COMPLETE.includes(code) ? [] : [told]);
    });
  });
}
