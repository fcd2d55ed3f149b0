import * as vscode from "vscode";

import type { Session } from "../session";
import type { Sessions } from "../sessions";

/** The active editor and the session that serves it; tells the person where there is none. */
export function active(sessions: Sessions): { editor: vscode.TextEditor; session: Session } | undefined {
  const editor = vscode.window.activeTextEditor;
  const session = editor && sessions.serving(editor.document)?.session;
  if (editor === undefined || session === undefined) {
    void vscode.window.showInformationMessage("CodeHunch: open a file that CodeHunch serves, such as Python.");
    return undefined;
  }
  return { editor, session };
}

/** Write the body that the docstring or comment at the cursor describes. */
export async function generateBody(sessions: Sessions): Promise<void> {
  const here = active(sessions);
  if (here === undefined) {
    return;
  }
  const { editor, session } = here;
  const { line, character } = editor.selection.active;
  const where = { uri: session.requests.code2ProtocolConverter.asUri(editor.document.uri), line, character };
  const options = { location: vscode.ProgressLocation.Window, title: "CodeHunch: writing the body" };
  try {
    await vscode.window.withProgress(options, () => session.command("codehunch.generateBody", where));
  } catch (error) {
    void vscode.window.showInformationMessage(`CodeHunch: ${error instanceof Error ? error.message : String(error)}`);
  }
}
