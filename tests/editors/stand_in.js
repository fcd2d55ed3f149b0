// Stands in for a Python extension, which no registry of this machine has: the same API, and interpreters from a file.
const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");

exports.activate = (context) => {
  const chosen = JSON.parse(fs.readFileSync(path.join(context.extensionPath, "interpreters.json"), "utf-8"));
  const changed = new vscode.EventEmitter();
  const of = (folder) => chosen[folder?.fsPath] ?? chosen[""];
  context.subscriptions.push(vscode.commands.registerCommand("standIn.choose", (folder, interpreter) => {
    chosen[folder] = interpreter;
    changed.fire();
  }));
  if (context.extension.id.endsWith("python-envs")) {
    return { getEnvironment: async (folder) => ({ execInfo: { run: { executable: of(folder) } } }), onDidChangeEnvironment: changed.event };
  }
  return {
    environments: {
      getActiveEnvironmentPath: (folder) => ({ id: of(folder), path: of(folder) }),
      resolveEnvironment: async ({ path: file }) => ({ executable: { uri: vscode.Uri.file(file) } }),
      onDidChangeActiveEnvironmentPath: changed.event,
    },
  };
};
