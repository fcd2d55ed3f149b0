import * as vscode from "vscode";
import type { DocumentSelector } from "vscode-languageclient/node";

/** Languages the server is asked about; which of them it knows depends on its models. */
export function servedLanguages(): string[] {
  return vscode.workspace.getConfiguration("codehunch").get<string[]>("languages", ["python"]);
}

export function isServed(document: vscode.TextDocument): boolean {
  return ["file", "untitled"].includes(document.uri.scheme) && servedLanguages().includes(document.languageId);
}

/** What a session serves: everything, or only what lies in its folder. */
export function selectorOf(folder: vscode.WorkspaceFolder | undefined): DocumentSelector {
  return servedLanguages().flatMap((language) =>
    folder === undefined
      ? [
          { scheme: "file", language },
          { scheme: "untitled", language },
        ]
      : [{ scheme: "file", language, pattern: { baseUri: folder.uri.toString(), pattern: "**/*" } }],
  );
}

/** Folders that lie in no other one: an inner folder is served by the session of the outer one. */
export function outermost(folders: readonly vscode.WorkspaceFolder[]): vscode.WorkspaceFolder[] {
  return folders.filter((folder) => !folders.some((other) => other !== folder && holds(other, folder.uri)));
}

export function holds(folder: vscode.WorkspaceFolder, uri: vscode.Uri): boolean {
  const base = folder.uri.path.endsWith("/") ? folder.uri.path : `${folder.uri.path}/`;
  return uri.scheme === folder.uri.scheme && uri.authority === folder.uri.authority && uri.path.startsWith(base);
}
