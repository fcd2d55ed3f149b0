import * as fs from "node:fs/promises";
import * as path from "node:path";
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
    const cards = await Promise.all(
      listed.map(async (each) => ({
        html: await rendered(path.join(each.path, "MODEL_CARD.md")),
        manifest: JSON.parse(await run("show", each.name, "--json")) as unknown,
      })),
    );
    const panel = vscode.window.createWebviewPanel("codehunch.modelCard", "CodeHunch: Models", vscode.ViewColumn.Active);
    panel.webview.html = cardPage(cards);
  } catch (error) {
    void vscode.window.showErrorMessage(`CodeHunch: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A Markdown file as HTML; empty where there is none. */
async function rendered(file: string): Promise<string> {
  const text = await fs.readFile(file, "utf-8").catch(() => "");
  return text === "" ? "" : vscode.commands.executeCommand<string>("markdown.api.render", text);
}
