import * as vscode from "vscode";

import type { Surface } from "./commands";
import { createEnvironment } from "./environment";

const CREATE = "Install CodeHunch";
const INTERPRETER = "Choose Interpreter";
const SETTINGS = "Open Settings";
const NEVER = "Don't Ask Again";

/** What a person can do where no server was found: as a notification that offers it, else as a list. */
export async function repair(surface: Surface, how?: unknown): Promise<void> {
  if (how === "offer") {
    const message = "CodeHunch's server was not found. It can be installed into an environment of its own.";
    await act(surface, await vscode.window.showInformationMessage(message, CREATE, SETTINGS, NEVER));
    return;
  }
  const python = vscode.extensions.getExtension("ms-python.python") !== undefined;
  const items: vscode.QuickPickItem[] = [
    { label: CREATE, detail: "Creates an environment that only this extension uses, with pip" },
    ...(python ? [{ label: INTERPRETER, detail: "One in which `pip install codehunch` was done" }] : []),
    { label: SETTINGS, detail: "Name the server or its interpreter" },
  ];
  await act(surface, (await vscode.window.showQuickPick(items, { title: "CodeHunch: no server" }))?.label);
}

/** Install the server and start it. */
export async function install({ context, interpreters, log, sessions }: Surface): Promise<void> {
  if (await createEnvironment(context, interpreters, log)) {
    sessions.restart();
  }
}

async function act(surface: Surface, choice: string | undefined): Promise<void> {
  if (choice === CREATE) {
    await install(surface);
  } else if (choice === INTERPRETER) {
    await vscode.commands.executeCommand("python.setInterpreter");
  } else if (choice === SETTINGS) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "codehunch.server");
  } else if (choice === NEVER) {
    const settings = vscode.workspace.getConfiguration("codehunch");
    await settings.update("server.offerEnvironment", false, vscode.ConfigurationTarget.Global);
  }
}
