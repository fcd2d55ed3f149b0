import * as fs from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";

const SCHEME = "codehunch-rule";

/**
 * Make the code of every finding lead to its rule page.
 *
 * The server names a file of its own installation; on a remote machine a link to a file would be looked for on the
 * wrong side, and of a link to a command VS Code takes no notice in this place. So the pages are documents of their own.
 */
export function withRuleLinks<T extends vscode.Diagnostic>(diagnostics: readonly T[]): T[] {
  for (const diagnostic of diagnostics) {
    const code = diagnostic.code;
    if (typeof code === "object" && code.target.scheme === "file") {
      const file = code.target.fsPath;
      diagnostic.code = {
        value: code.value,
        target: vscode.Uri.from({ scheme: SCHEME, path: `/${path.basename(file)}`, query: file }),
      };
    }
  }
  return [...diagnostics];
}

/** Rule pages, shown rendered. Only files that are named like rules are read. */
export function registerRulePages(): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      provideTextDocumentContent: ({ query }) => (/[\\/]CH\d{3}\.md$/.test(query) ? fs.readFile(query, "utf-8") : ""),
    }),
    vscode.window.onDidChangeActiveTextEditor((editor) => {
      if (editor?.document.uri.scheme === SCHEME) {
        void rendered(editor.document.uri);
      }
    }),
  );
}

/** A link opens the text; put the page in its place. */
async function rendered(page: vscode.Uri): Promise<void> {
  await vscode.commands.executeCommand("markdown.showPreview", page);
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  await vscode.window.tabGroups.close(
    tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === page.toString()),
  );
}
