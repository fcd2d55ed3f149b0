import * as os from "node:os";
import * as vscode from "vscode";

import type { Surface } from "./commands";
import { shown } from "./state";

/** Put what a bug report needs on the clipboard: versions, settings, states. No source text. */
export async function copyDebugInformation({ context, sessions }: Surface): Promise<void> {
  const manifest = context.extension.packageJSON as { version: string };
  const information = {
    extension: manifest.version,
    editor: `${vscode.env.appName} ${vscode.version}`,
    platform: `${os.platform()} ${os.release()} ${os.arch()}`,
    remote: vscode.env.remoteName ?? null,
    trusted: vscode.workspace.isTrusted,
    state: shown(sessions.serving(vscode.window.activeTextEditor?.document)?.state ?? { kind: "looking" }),
    servers: await Promise.all(
      sessions.running.map(async (session) => ({
        ...session.server,
        folder: session.folder?.uri.fsPath ?? null,
        answer: await session.command("codehunch.debugInformation").catch(String),
      })),
    ),
  };
  await vscode.env.clipboard.writeText(JSON.stringify(information, null, 2));
  void vscode.window.showInformationMessage("CodeHunch: debug information was copied to the clipboard.");
}
