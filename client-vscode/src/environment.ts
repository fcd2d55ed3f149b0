import * as fs from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";

import type { Interpreters } from "./interpreters";
import { OLDEST } from "./server/find";
import { installArguments, isPythonNewEnough } from "./server/pip";
import { onPath } from "./server/places";
import { output, realFiles, start } from "./server/processes";
import { environmentFolder, pythonOf, surroundings } from "./surroundings";

/**
 * Create the environment that this extension keeps and install the server into it, with progress and a way to stop.
 * Gives back whether it is there now. What was begun and not finished is removed.
 */
export async function createEnvironment(
  context: vscode.ExtensionContext,
  interpreters: Interpreters,
  log: vscode.LogOutputChannel,
): Promise<boolean> {
  const folder = environmentFolder(context);
  const python = await basePython(context, interpreters);
  if (python === undefined) {
    void vscode.window.showErrorMessage(
      "CodeHunch needs Python 3.11 or newer to create its environment. Install it, or name an interpreter in codehunch.server.interpreter.",
    );
    return false;
  }
  const source = vscode.workspace.getConfiguration("codehunch").get("server.wheel", "");
  const steps: [title: string, command: string, args: string[]][] = [
    ["creating the environment", python, ["-m", "venv", "--clear", folder]],
    ["installing codehunch", pythonOf(folder), installArguments(source, await isFolder(source), OLDEST)],
  ];
  const options = { location: vscode.ProgressLocation.Notification, title: "CodeHunch", cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    try {
      await fs.mkdir(path.dirname(folder), { recursive: true });
      for (const [title, command, args] of steps) {
        progress.report({ message: title });
        await run(command, args, log, token);
      }
      return true;
    } catch (error) {
      await fs.rm(folder, { recursive: true, force: true });
      if (!token.isCancellationRequested) {
        void failed(error, log);
      }
      return false;
    }
  });
}

async function failed(error: unknown, log: vscode.LogOutputChannel): Promise<void> {
  const message = `CodeHunch could not be installed: ${error instanceof Error ? error.message : String(error)}`;
  if ((await vscode.window.showErrorMessage(message, "Show Logs")) !== undefined) {
    log.show();
  }
}

/** The first Python that is new enough: of the Python extension, else on PATH. */
async function basePython(context: vscode.ExtensionContext, interpreters: Interpreters): Promise<string | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0];
  const around = await surroundings(context, interpreters, folder);
  const names = process.platform === "win32" ? ["python.exe"] : ["python3", "python"];
  const candidates = [around.interpreter, ...names.map((name) => onPath(around, realFiles, name))];
  for (const candidate of candidates) {
    if (candidate !== undefined && (await answersNewEnough(candidate))) {
      return candidate;
    }
  }
  return undefined;
}

async function answersNewEnough(python: string): Promise<boolean> {
  try {
    return isPythonNewEnough(await output(python, ["-c", "import sys; print(*sys.version_info[:2])"]));
  } catch {
    return false;
  }
}

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await fs.stat(file)).isDirectory();
  } catch {
    return false;
  }
}

function run(command: string, args: string[], log: vscode.LogOutputChannel, token: vscode.CancellationToken): Promise<void> {
  log.info([command, ...args].join(" "));
  return new Promise((resolve, reject) => {
    const child = start(command, args);
    const stopping = token.onCancellationRequested(() => child.kill());
    let last = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf-8").on("data", (text: string) => {
        log.info(text.trimEnd());
        last = text.trim().split("\n").at(-1) ?? last;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => {
      stopping.dispose();
      if (code === 0) {
        resolve();
      } else {
        reject(new Error(last !== "" ? last : `${command} ended with ${String(code)}`));
      }
    });
  });
}
