import * as vscode from "vscode";

/**
 * Make the code of every finding open its rule page in the editor.
 *
 * The server names a file of its own installation; on a remote machine a link to a file would be looked for on the
 * wrong side.
 */
export function withRuleLinks<T extends vscode.Diagnostic>(diagnostics: readonly T[]): T[] {
  for (const diagnostic of diagnostics) {
    const code = diagnostic.code;
    if (typeof code === "object" && code.target.scheme === "file") {
      const page = encodeURIComponent(JSON.stringify([code.target.fsPath]));
      diagnostic.code = { value: code.value, target: vscode.Uri.parse(`command:codehunch.openRule?${page}`) };
    }
  }
  return [...diagnostics];
}

/** Show a rule page, rendered. Only pages that are named like rules are opened. */
export async function openRule(file: unknown): Promise<void> {
  if (typeof file === "string" && /[\\/]CH\d{3}\.md$/.test(file)) {
    await vscode.commands.executeCommand("markdown.showPreview", vscode.Uri.file(file));
  }
}
