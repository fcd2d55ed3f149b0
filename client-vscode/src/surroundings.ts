import * as path from "node:path";
import * as vscode from "vscode";

import type { Interpreters } from "./interpreters";
import { find, type Found } from "./server/find";
import { places, type Surroundings } from "./server/places";
import { probe, realFiles } from "./server/processes";
import { expanded } from "./settings";

/** Folder of the environment that this extension creates and keeps. */
export function environmentFolder(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, "environment");
}

export function pythonOf(environment: string): string {
  return process.platform === "win32" ? path.join(environment, "Scripts", "python.exe") : path.join(environment, "bin", "python");
}

/** Look for the server of one folder, or of no folder. */
export async function findServer(
  context: vscode.ExtensionContext,
  interpreters: Interpreters,
  folder: vscode.WorkspaceFolder | undefined,
): Promise<Found> {
  return find(places(await surroundings(context, interpreters, folder), realFiles), probe);
}

export async function surroundings(
  context: vscode.ExtensionContext,
  interpreters: Interpreters,
  folder: vscode.WorkspaceFolder | undefined,
): Promise<Surroundings> {
  const settings = vscode.workspace.getConfiguration("codehunch", folder);
  const trusted = vscode.workspace.isTrusted;
  return {
    // In a workspace that is not trusted VS Code itself holds back the workspace's values of these two.
    serverSetting: expanded(settings.get("server.path", ""), folder?.uri.fsPath),
    interpreterSetting: expanded(settings.get("server.interpreter", ""), folder?.uri.fsPath),
    interpreter: trusted ? await interpreters.of(folder?.uri) : undefined,
    environment: pythonOf(environmentFolder(context)),
    searchPath: (process.env.PATH ?? "").split(path.delimiter),
    trusted,
    folders: (vscode.workspace.workspaceFolders ?? []).map((each) => each.uri.fsPath),
  };
}
