import * as vscode from "vscode";

import { utf16Offset, type Row } from "./rows";

type Node = string | Row;

/** The findings of a scan, by file, in a view of their own. */
export class Results implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  private readonly files = new Map<string, Row[]>();
  private readonly view = vscode.window.createTreeView<Node>("codehunch.results", { treeDataProvider: this, showCollapseAll: true });

  readonly onDidChangeTreeData = this.changed.event;

  /** Every finding of the last scan, in the order in which it came. */
  get rows(): readonly Row[] {
    return [...this.files.values()].flat();
  }

  add(rows: readonly Row[]): void {
    for (const row of rows) {
      this.files.set(row.filename, [...(this.files.get(row.filename) ?? []), row]);
    }
    if (rows.length > 0) {
      this.changed.fire(undefined);
    }
  }

  clear(): void {
    this.files.clear();
    this.view.message = "";
    this.changed.fire(undefined);
    void vscode.commands.executeCommand("setContext", "codehunch.scanned", false);
  }

  /** Bring the view to the front at the end of a scan. */
  async reveal(count: number): Promise<void> {
    await vscode.commands.executeCommand("setContext", "codehunch.scanned", true);
    this.view.message = count === 0 ? "Nothing was found." : "";
    await vscode.commands.executeCommand("codehunch.results.focus");
  }

  getChildren(node?: Node): Node[] {
    if (node === undefined) {
      return [...this.files.keys()].sort();
    }
    return typeof node === "string" ? (this.files.get(node) ?? []) : [];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if (typeof node === "string") {
      const item = new vscode.TreeItem(vscode.Uri.file(node), vscode.TreeItemCollapsibleState.Expanded);
      item.iconPath = vscode.ThemeIcon.File;
      item.description = String(this.files.get(node)?.length ?? 0);
      return item;
    }
    const item = new vscode.TreeItem(node.message);
    item.description = `${node.code} [${node.location.row}, ${node.location.column}]`;
    item.tooltip = `${node.message}\n${node.code}, confidence ${Math.round(node.confidence * 100)}%`;
    item.iconPath = new vscode.ThemeIcon("warning", new vscode.ThemeColor("list.warningForeground"));
    item.command = { title: "Open", command: "codehunch.openResult", arguments: [node] };
    return item;
  }

  async open(node: unknown): Promise<void> {
    const { filename, location, end_location: end } = node as Row;
    const document = await vscode.workspace.openTextDocument(filename);
    // Columns of the scan are code points; the file may have changed since, so rows are kept within it.
    const place = ({ row, column }: Row["location"]): vscode.Position => {
      const line = document.lineAt(Math.min(row, document.lineCount) - 1);
      return new vscode.Position(line.lineNumber, utf16Offset(line.text, column));
    };
    await vscode.window.showTextDocument(document, { selection: new vscode.Range(place(location), place(end)) });
  }

  dispose(): void {
    this.view.dispose();
    this.changed.dispose();
  }
}
