import * as vscode from "vscode";

import type { Interpreters } from "./interpreters";
import { holds, isServed, outermost } from "./selector";
import { sameServer } from "./server/find";
import { AT_START } from "./settings";
import { Session } from "./session";
import type { State } from "./state";
import { findServer } from "./surroundings";

/** A folder's place in the table: a running session, or the reason why there is none. */
interface Entry {
  readonly folder: vscode.WorkspaceFolder | undefined;
  readonly several: boolean;
  session: Session | undefined;
  state: State;
}

const NO_FOLDER = "";

/** Settings that a running server cannot take over. */
const RESTARTING = [
  "codehunch.languages",
  "editor.inlineSuggest.enabled",
  ...AT_START.map((name) => `codehunch.${name}`),
];

/** One session per outermost folder that has a served document open; one for everything where there is one folder. */
export class Sessions implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly entries = new Map<string, Entry>();
  private readonly disposables: vscode.Disposable[] = [this.changed];
  private work: Promise<void> = Promise.resolve();
  private offered = false;

  readonly onDidChange = this.changed.event;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly trace: vscode.LogOutputChannel,
    private readonly interpreters: Interpreters,
  ) {}

  /** Start what is needed, and from now on follow documents, folders, settings, interpreters and trust. */
  follow(): void {
    this.disposables.push(
      vscode.workspace.onDidOpenTextDocument((document) => {
        if (isServed(document) && !this.entries.has(this.place(document.uri).key)) {
          this.refresh();
        }
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(() => { this.refresh(true); }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => { this.refresh(true); }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (RESTARTING.some((key) => event.affectsConfiguration(key))) {
          this.restart();
        } else if (event.affectsConfiguration("codehunch.server")) {
          this.refresh(true);
        }
      }),
      this.interpreters.onDidChange(() => { this.refresh(true); }),
    );
    this.refresh();
  }

  /** What serves a document, or why nothing does; undefined before anybody has looked. */
  serving(document: vscode.TextDocument | undefined): { state: State; session: Session | undefined } | undefined {
    const key = document === undefined ? this.entries.keys().next().value : this.place(document.uri).key;
    const entry = key === undefined ? undefined : this.entries.get(key);
    return entry && { state: entry.session?.state ?? entry.state, session: entry.session };
  }

  /** The running sessions, each with its folder. */
  get running(): Session[] {
    return [...this.entries.values()].flatMap((entry) => entry.session ?? []);
  }

  /** Look again for every server, and start or replace only what has changed. */
  refresh(again = false): void {
    this.enqueue(() => this.update(again));
  }

  /** End all sessions and start afresh. */
  restart(): void {
    this.enqueue(async () => {
      await this.stopAll();
      await this.update(true);
    });
  }

  /** Wait until everything that was asked for is done. */
  async settled(): Promise<void> {
    await this.work;
  }

  async stop(): Promise<void> {
    await this.work;
    await this.stopAll();
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables).dispose();
  }

  private enqueue(task: () => Promise<void>): void {
    // One after the other: two searches at once could start two servers for one folder.
    this.work = this.work.then(task).catch((error: unknown) => { this.log.error(String(error)); });
  }

  private place(uri: vscode.Uri): { key: string; folder: vscode.WorkspaceFolder | undefined; several: boolean } {
    const folders = outermost(vscode.workspace.workspaceFolders ?? []);
    if (folders.length <= 1) {
      return { key: folders[0]?.uri.toString() ?? NO_FOLDER, folder: folders[0], several: false };
    }
    const folder = folders.find((each) => holds(each, uri));
    return { key: folder?.uri.toString() ?? NO_FOLDER, folder, several: true };
  }

  private async update(again: boolean): Promise<void> {
    const wanted = new Map(
      vscode.workspace.textDocuments.filter(isServed).map((each) => this.place(each.uri)).map((place) => [place.key, place]),
    );
    for (const [key, entry] of this.entries) {
      const place = wanted.get(key) ?? this.place(entry.folder?.uri ?? vscode.Uri.file("/"));
      if (place.key !== key || place.several !== entry.several) {
        await entry.session?.stop();
        this.entries.delete(key);
      } else {
        wanted.set(key, place);
      }
    }
    for (const [key, place] of wanted) {
      // In a window with several folders a file outside of all of them has no session.
      if ((!place.several || place.folder) && (again || !this.entries.has(key))) {
        await this.settle(key, place);
      }
    }
  }

  private async settle(key: string, place: Pick<Entry, "folder" | "several">): Promise<void> {
    const entry = this.entries.get(key) ?? { ...place, session: undefined, state: { kind: "looking" } };
    this.entries.set(key, entry);
    this.changed.fire();
    const found = await findServer(this.context, this.interpreters, place.folder);
    if (found.kind !== "found") {
      await entry.session?.stop();
      entry.session = undefined;
      entry.state = found.kind === "missing" ? { ...found, trusted: vscode.workspace.isTrusted } : found;
      this.explain(entry.state);
    } else if (!sameServer(entry.session?.server, found.server) || entry.session?.state.kind === "crashed") {
      await entry.session?.stop();
      entry.session = new Session(found.server, place.folder, place.several, this.log, this.trace);
      entry.session.onDidChange(() => { this.changed.fire(); });
      await entry.session.start();
    }
    this.changed.fire();
  }

  private explain(state: State): void {
    if (state.kind === "missing") {
      for (const { place, reason } of state.attempts) {
        this.log.warn(`${place.origin}: ${place.command}: ${reason}`);
      }
    }
    this.log.warn(state.kind === "old" ? `the server is too old: ${state.server.version}` : "no server found");
    const offer = vscode.workspace.getConfiguration("codehunch").get<boolean>("server.offerEnvironment", true);
    if (offer && !this.offered) {
      this.offered = true;
      void vscode.commands.executeCommand("codehunch.repair", "offer");
    }
  }

  private async stopAll(): Promise<void> {
    const sessions = this.running;
    this.entries.clear();
    await Promise.all(sessions.map((session) => session.stop()));
    this.changed.fire();
  }
}
