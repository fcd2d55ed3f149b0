import * as vscode from "vscode";
import {
  ExecuteCommandRequest,
  InlineCompletionRequest,
  LanguageClient,
  NotificationType,
  type ClientCapabilities,
  type DynamicFeature,
  type LanguageClientOptions,
  type ServerOptions,
  type StaticFeature,
} from "vscode-languageclient/node";

/** What the server is up to; `noModel` and `degraded` come with a reason. */
export type ServerState = "loading" | "ready" | "busy" | "degraded" | "noModel";

export const STATUS = new NotificationType<{ state: ServerState; message: string }>("codehunch/status");

/** Says that this client shows what STATUS tells. */
const LISTENS: StaticFeature = {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), codehunchStatus: true };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

/** A language client for a session of which there may be several in one window. */
export class Client extends LanguageClient {
  constructor(...options: [id: string, name: string, server: ServerOptions, client: LanguageClientOptions]) {
    super(...options);
    super.registerFeature(LISTENS);
  }

  /**
   * Leaves out two features:
   * - commands of the server, which every session would register under the same name; commands.ts asks for them;
   * - ghost text where the person has it off, so that the server offers list items in its place.
   */
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    const method = "registrationType" in feature ? feature.registrationType.method : undefined;
    const ghostText = vscode.workspace.getConfiguration("editor").get<boolean>("inlineSuggest.enabled", true);
    if (method === ExecuteCommandRequest.method || (method === InlineCompletionRequest.method && !ghostText)) {
      return;
    }
    super.registerFeature(feature);
  }
}
