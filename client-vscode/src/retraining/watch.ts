import * as fs from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";

import { servedLanguages } from "../selector";
import { output } from "../server/processes";
import type { Server } from "../server/find";
import type { Sessions } from "../sessions";
import { newest, progressIn, progressText, reportPage, verdicts, type NewestRun, type Progress } from "./progress";

const MILLISECONDS = 2000;

/** Shows a retraining that runs on this machine, whoever started it, and says when it is done. */
export class Retraining implements vscode.Disposable {
  private readonly disposables: vscode.Disposable[] = [];
  private item: vscode.LanguageStatusItem | undefined;
  private runs: string | undefined;
  private asked: string | undefined;
  private working: string | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sessions: Sessions,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.disposables.push(sessions.onDidChange(() => void this.begin()));
  }

  dispose(): void {
    clearInterval(this.timer);
    this.item?.dispose();
    vscode.Disposable.from(...this.disposables).dispose();
  }

  /** Ask the first server that is ready where runs lie; from then on a folder is looked at now and then. */
  private async begin(): Promise<void> {
    const session = this.sessions.running.find(({ state }) => state.kind === "ready");
    if (session === undefined || session.server.command === this.asked) {
      return;
    }
    this.asked = session.server.command;
    try {
      this.runs = (await newestRun(session.server)).runs;
      this.timer ??= setInterval(() => void this.look(), MILLISECONDS);
    } catch (error) {
      this.log.debug(`where retrainings lie is not known: ${String(error)}`);
    }
  }

  private async look(): Promise<void> {
    const name = this.runs === undefined ? undefined : newest(await fs.readdir(this.runs).catch(() => []));
    if (this.runs === undefined || name === undefined) {
      return;
    }
    const folder = path.join(this.runs, name);
    const text = await fs.readFile(path.join(folder, "progress.json"), "utf-8").catch(() => "");
    const progress = progressIn(text);
    if (progress !== undefined && isAlive(progress.pid)) {
      this.working = folder;
      this.show(progress);
    } else if (this.working !== undefined) {
      const ended = this.working;
      this.working = undefined;
      this.item?.dispose();
      this.item = undefined;
      await this.tell(ended);
    }
  }

  private show(progress: Progress): void {
    this.item ??= vscode.languages.createLanguageStatusItem("codehunch.retraining", []);
    const { text, detail } = progressText(progress);
    Object.assign(this.item, { name: "CodeHunch: retraining", text, detail, busy: true });
    this.item.selector = servedLanguages().map((language) => ({ language }));
  }

  private async tell(folder: string): Promise<void> {
    const told = verdicts(await fs.readFile(path.join(folder, "result.json"), "utf-8").catch(() => ""));
    if (told.length === 0) {
      void vscode.window.showInformationMessage("CodeHunch: the retraining has stopped; the same command goes on.");
      return;
    }
    const message = `CodeHunch: the retraining is done. ${told.join(". ")}`;
    if ((await vscode.window.showInformationMessage(message, "Show Report")) !== undefined) {
      await vscode.commands.executeCommand("codehunch.showTrainingReport");
    }
  }
}

/** Show the report of the newest retraining. */
export async function showTrainingReport(sessions: Sessions): Promise<void> {
  const server = sessions.running[0]?.server;
  if (server === undefined) {
    void vscode.window.showInformationMessage("CodeHunch: the server is not running.");
    return;
  }
  try {
    const { report } = await newestRun(server);
    if (report === null) {
      void vscode.window.showInformationMessage("CodeHunch: there is no report yet. `codehunch retrain --repo .` in a terminal makes one.");
      return;
    }
    const panel = vscode.window.createWebviewPanel("codehunch.trainingReport", "CodeHunch: Training Report", vscode.ViewColumn.Active);
    panel.webview.html = reportPage(await fs.readFile(report, "utf-8"));
  } catch (error) {
    void vscode.window.showErrorMessage(`CodeHunch: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function newestRun(server: Server): Promise<NewestRun> {
  return JSON.parse(await output(server.command, [...server.args, "retrain", "--status"])) as NewestRun;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
