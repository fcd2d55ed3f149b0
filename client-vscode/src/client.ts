import * as vscode from "vscode";
import {
  ExecuteCommandRequest,
  InlineCompletionRequest,
  LanguageClient,
  type DynamicFeature,
  type StaticFeature,
} from "vscode-languageclient/node";

/** A language client for a session of which there may be several in one window. */
export class Client extends LanguageClient {
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
