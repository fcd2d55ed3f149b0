import * as vscode from "vscode";
import { InlineCompletionRequest, InlineCompletionTriggerKind } from "vscode-languageclient/node";

import type { Session } from "../session";
import type { Sessions } from "../sessions";
import { active } from "./generate";
import { labelOf } from "./labels";

const SCHEME = "codehunch-preview";

interface Candidate extends vscode.QuickPickItem {
  readonly text: string;
  readonly range: vscode.Range;
}

/** Let the person choose among several bodies; each is shown as a difference to the file before it is taken. */
export async function pickCandidate(sessions: Sessions): Promise<void> {
  const here = active(sessions);
  if (here === undefined) {
    return;
  }
  const { editor, session } = here;
  const { document } = editor;
  const version = document.version;
  const options = { location: vscode.ProgressLocation.Window, title: "CodeHunch: writing candidates" };
  const candidates = await vscode.window.withProgress(options, () => ask(session, document, editor.selection.active));
  if (candidates.length === 0) {
    void vscode.window.showInformationMessage("CodeHunch: nothing to write here. Put the cursor below a docstring or a comment.");
    return;
  }
  const chosen = await choose(document, candidates);
  await vscode.window.showTextDocument(document, { viewColumn: editor.viewColumn ?? vscode.ViewColumn.Active });
  if (chosen === undefined) {
    return;
  }
  if (document.version !== version) {
    void vscode.window.showInformationMessage("CodeHunch: the file has changed since; nothing was written.");
    return;
  }
  const edit = new vscode.WorkspaceEdit();
  edit.replace(document.uri, chosen.range, chosen.text);
  await vscode.workspace.applyEdit(edit);
}

async function ask(session: Session, document: vscode.TextDocument, position: vscode.Position): Promise<Candidate[]> {
  const { code2ProtocolConverter: to, protocol2CodeConverter: from } = session.requests;
  const reply = await session.requests.sendRequest(InlineCompletionRequest.type, {
    textDocument: to.asTextDocumentIdentifier(document),
    position: to.asPosition(position),
    context: { triggerKind: InlineCompletionTriggerKind.Invoked },
  });
  const items = reply === null ? [] : Array.isArray(reply) ? reply : reply.items;
  return items.map((item) => {
    const text = typeof item.insertText === "string" ? item.insertText : item.insertText.value;
    const range = item.range === undefined ? new vscode.Range(position, position) : from.asRange(item.range);
    return { text, range, ...labelOf(text) };
  });
}

async function choose(document: vscode.TextDocument, candidates: readonly Candidate[]): Promise<Candidate | undefined> {
  let shown = candidates[0];
  const changed = new vscode.EventEmitter<vscode.Uri>();
  const preview = document.uri.with({ scheme: SCHEME });
  const content = vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
    onDidChange: changed.event,
    provideTextDocumentContent: () => (shown === undefined ? document.getText() : withCandidate(document, shown)),
  });
  const pick = vscode.window.createQuickPick<Candidate>();
  pick.title = "CodeHunch: choose a body";
  pick.items = candidates;
  pick.matchOnDetail = true;
  pick.onDidChangeActive(([active]) => {
    shown = active ?? shown;
    changed.fire(preview);
  });
  try {
    const options = { preview: true, preserveFocus: true };
    await vscode.commands.executeCommand("vscode.diff", document.uri, preview, "CodeHunch: candidate", options);
    return await new Promise((resolve) => {
      pick.onDidAccept(() => { resolve(pick.selectedItems[0]); });
      pick.onDidHide(() => { resolve(undefined); });
      pick.show();
    });
  } finally {
    pick.dispose();
    await closePreview(preview);
    content.dispose();
    changed.dispose();
  }
}

async function closePreview(preview: vscode.Uri): Promise<void> {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  await vscode.window.tabGroups.close(
    tabs.filter((tab) => tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === preview.toString()),
  );
}

function withCandidate(document: vscode.TextDocument, { range, text }: Candidate): string {
  const whole = document.getText();
  return whole.slice(0, document.offsetAt(range.start)) + text + whole.slice(document.offsetAt(range.end));
}
