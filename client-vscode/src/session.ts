import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  ExecuteCommandRequest,
  MessageType,
  RevealOutputChannelOn,
  ShowMessageNotification,
  State as ClientState,
  type LanguageClientOptions,
  type Middleware,
} from "vscode-languageclient/node";

import { Client, STATUS, type ServerState } from "./client";
import { withRuleLinks } from "./ruleLinks";
import { selectorOf } from "./selector";
import type { Server } from "./server/find";
import { safeOptions } from "./server/processes";
import { explicitSettings, settingsAtStart } from "./settings";
import { modelsIn, type State } from "./state";

const RESTARTS = 4;
const WITHIN_MILLISECONDS = 180_000;
const STOP_MILLISECONDS = 2_000;
const PAUSE_MILLISECONDS = 3_000;

/** One server and the folder it serves; without a folder it serves whatever is open. */
export class Session implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly client: Client;
  private readonly closed: number[] = [];
  private current: State;
  private models = "";
  private asked = 0;

  readonly onDidChange = this.changed.event;

  constructor(
    readonly server: Server,
    readonly folder: vscode.WorkspaceFolder | undefined,
    several: boolean,
    private readonly log: vscode.LogOutputChannel,
    private readonly trace: vscode.LogOutputChannel,
  ) {
    this.current = { kind: "starting", server };
    const run = { command: server.command, args: [...server.args, "serve", "--stdio"], options: safeOptions() };
    this.client = new Client("codehunch", "CodeHunch", run, this.options(several));
    this.client.onDidChangeState(({ newState }) => {
      this.follow(newState);
    });
    this.client.onNotification(STATUS, ({ state, message }) => {
      this.hear(state, message);
    });
    this.client.onNotification(ShowMessageNotification.type, ({ type, message }) => {
      this.tell(type, message);
    });
  }

  get state(): State {
    return this.current;
  }

  async start(): Promise<void> {
    this.log.info(`starting ${[this.server.command, ...this.server.args].join(" ")} (${this.server.version})`);
    try {
      await this.client.start();
    } catch (error) {
      this.log.error(`the server did not start: ${error instanceof Error ? error.message : String(error)}`);
      this.set({ kind: "crashed", server: this.server });
    }
  }

  async stop(): Promise<void> {
    try {
      if (this.client.needsStop()) {
        await this.client.stop(STOP_MILLISECONDS);
      }
    } catch (error) {
      this.log.warn(`stopping: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.dispose();
  }

  dispose(): void {
    this.changed.dispose();
  }

  /** Run a command of the server. Rejects with a sentence for the person. */
  command(name: string, ...args: unknown[]): Promise<unknown> {
    return this.client.sendRequest(ExecuteCommandRequest.type, { command: name, arguments: args });
  }

  /** For requests that have no command. */
  get requests(): Pick<Client, "sendRequest" | "code2ProtocolConverter" | "protocol2CodeConverter"> {
    return this.client;
  }

  private options(several: boolean): LanguageClientOptions {
    return {
      documentSelector: selectorOf(several ? this.folder : undefined),
      ...(several && this.folder ? { workspaceFolder: this.folder } : {}),
      // Everything else the server asks for; this it has to know before it says what it can do.
      initializationOptions: () =>
        settingsAtStart(explicitSettings(vscode.workspace.getConfiguration("codehunch", this.folder))),
      outputChannel: this.log,
      traceOutputChannel: this.trace,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      diagnosticCollectionName: "codehunch",
      diagnosticPullOptions: { onChange: true, onSave: true, onTabs: false },
      middleware: this.middleware(),
      stdioOptions: {
        stdout: () => undefined,
        // The server logs over the protocol; what remains on stderr is a note, not an error.
        stderr: (stream) => stream.setEncoding("utf-8").on("data", (text: string) => { this.log.info(text.trimEnd()); }),
      },
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.afterClose(),
      },
      initializationFailedHandler: () => false,
    };
  }

  private middleware(): Middleware {
    return {
      workspace: {
        configuration: ({ items }) =>
          items.map(({ section, scopeUri }) => {
            const scope = scopeUri === undefined ? this.folder?.uri : vscode.Uri.parse(scopeUri);
            const configuration = vscode.workspace.getConfiguration(section, scope);
            return section === "codehunch" ? explicitSettings(configuration) : { ...configuration };
          }),
      },
      handleDiagnostics: (uri, diagnostics, next) => {
        next(uri, withRuleLinks(diagnostics));
      },
      provideDiagnostics: async (document, previous, token, next) => {
        const report = await next(document, previous, token);
        return report && "items" in report ? { ...report, items: withRuleLinks(report.items) } : report;
      },
      handleWorkDoneProgress: (token, params, next) => {
        if (params.kind === "begin") {
          this.set({ kind: "busy", server: this.server, doing: params.title.replace(/^CodeHunch: /, "") });
        } else if (params.kind === "end") {
          void this.ready();
        }
        next(token, params);
      },
    };
  }

  private afterClose(): { action: CloseAction; handled: boolean } {
    const now = Date.now();
    this.closed.push(now);
    const recent = this.closed.filter((time) => now - time < WITHIN_MILLISECONDS).length;
    if (recent <= RESTARTS) {
      return { action: CloseAction.Restart, handled: true };
    }
    this.set({ kind: "crashed", server: this.server });
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private follow(state: ClientState): void {
    if (state === ClientState.Starting) {
      this.set({ kind: "starting", server: this.server });
    } else if (state === ClientState.Running) {
      void this.ready();
    }
  }

  private async ready(): Promise<void> {
    this.set({ kind: "ready", server: this.server, models: this.models });
    const asked = ++this.asked;
    try {
      for (let models = undefined; models === undefined && asked === this.asked && this.current.kind === "ready"; ) {
        models = modelsIn(await this.command("codehunch.debugInformation"));
        if (models === undefined) {
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
        } else {
          this.models = models;
        }
      }
      if (asked === this.asked && this.current.kind === "ready") {
        this.set({ kind: "ready", server: this.server, models: this.models });
      }
    } catch {
      // The server is on its way out; the state that follows says so.
    }
  }

  /** What the server says of itself, where it is more than a message or a bar already said. */
  private hear(state: ServerState, message: string): void {
    if (state === "loading") {
      this.set({ kind: "busy", server: this.server, doing: `loading the ${message} model` });
    } else if (state === "busy") {
      this.set({ kind: "busy", server: this.server, doing: message });
    } else if (state === "ready") {
      void this.ready();
    } else {
      this.set({ kind: "degraded", server: this.server, problem: message.replace(/^CodeHunch: /, "") });
    }
  }

  private tell(type: MessageType, message: string): void {
    if (type === MessageType.Error || type === MessageType.Warning) {
      this.set({ kind: "degraded", server: this.server, problem: message.replace(/^CodeHunch: /, "") });
      void vscode.window.showWarningMessage(message, "Show Logs").then((answer) => {
        if (answer !== undefined) {
          this.log.show();
        }
      });
    } else {
      void vscode.window.showInformationMessage(message);
    }
  }

  private set(state: State): void {
    this.current = state;
    this.changed.fire();
  }
}
