import * as vscode from "vscode";

import type { Sessions } from "./sessions";
import { servedLanguages } from "./selector";
import { shown } from "./state";

const SEVERITIES = {
  information: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
} as const;

/** The language status of the session that serves the active editor. */
export class Status implements vscode.Disposable {
  private readonly item = vscode.languages.createLanguageStatusItem("codehunch", []);
  private readonly disposables: vscode.Disposable[] = [this.item];

  constructor(private readonly sessions: Sessions) {
    this.item.name = "CodeHunch";
    const update = (): void => {
      this.update();
    };
    this.disposables.push(sessions.onDidChange(update), vscode.window.onDidChangeActiveTextEditor(update));
    this.update();
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables).dispose();
  }

  private update(): void {
    const session = this.sessions.serving(vscode.window.activeTextEditor?.document);
    const { text, detail, severity, busy, button } = shown(session?.state ?? { kind: "looking" });
    const [title, command] = button;
    this.item.selector = servedLanguages().map((language) => ({ language }));
    this.item.text = text;
    this.item.detail = detail;
    this.item.severity = SEVERITIES[severity];
    this.item.busy = busy && session !== undefined;
    this.item.command = { title, command };
  }
}
