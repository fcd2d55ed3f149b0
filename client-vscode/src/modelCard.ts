import * as vscode from "vscode";

import { cardPage, type Listed } from "./modelCardPage";
import { output } from "./server/processes";
import type { Sessions } from "./sessions";

/** Show what the active models are, what they were trained on and how they did, as their manifests say. */
export async function showModelCard(sessions: Sessions): Promise<void> {
  const server = sessions.running[0]?.server;
  if (server === undefined) {
    void vscode.window.showInformationMessage("CodeHunch: the server is not running.");
    return;
  }
  try {
    const run = (...args: string[]): Promise<string> => output(server.command, [...server.args, "bundles", ...args]);
    const listed = (JSON.parse(await run("list", "--json")) as Listed[]).filter(({ active }) => active);
    const manifests = await Promise.all(listed.map(async ({ name }) => JSON.parse(await run("show", name, "--json")) as unknown));
    const panel = vscode.window.createWebviewPanel("codehunch.modelCard", "CodeHunch: Models", vscode.ViewColumn.Active);
    panel.webview.html = cardPage(manifests);
  } catch (error) {
    void vscode.window.showErrorMessage(`CodeHunch: ${error instanceof Error ? error.message : String(error)}`);
  }
}
