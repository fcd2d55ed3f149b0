// Two folders with interpreters of their own: a server for each, and settings of each.
const { assert, vscode, report, until, findings } = require("./index.js");

async function show(folder, name) {
  const document = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder.uri, name));
  await vscode.window.showTextDocument(document, { preview: false });
  return document;
}

module.exports = {
  async "each folder has a server of its own"({ name, interpreters }) {
    const [left, right] = vscode.workspace.workspaceFolders;
    const documents = [await show(left, name), await show(right, name)];
    for (const document of documents) {
      await until("findings in both folders", () => findings(document).length > 0);
    }
    await vscode.commands.executeCommand("codehunch.copyDebugInformation");
    const { servers } = JSON.parse(await vscode.env.clipboard.readText());
    assert.deepEqual(Object.fromEntries(servers.map(({ folder, command }) => [folder, command])), interpreters);
    assert.deepEqual([...new Set(servers.map(({ origin }) => origin))], ["interpreter"]);
    report({ folders: servers.map(({ folder }) => folder) });
  },

  async "a setting of one folder leaves the other alone"({ name }) {
    const [left, right] = vscode.workspace.workspaceFolders;
    const [one, other] = [await show(left, name), await show(right, name)];
    await vscode.workspace.getConfiguration("codehunch", left).update("diagnostics", false, vscode.ConfigurationTarget.WorkspaceFolder);
    await until("no finding in the first folder", () => findings(one).length === 0);
    assert.ok(findings(other).length > 0);
  },

  async "a change of the interpreter takes another server"({ interpreters, another }) {
    const [left] = vscode.workspace.workspaceFolders;
    await vscode.commands.executeCommand("standIn.choose", left.uri.fsPath, another);
    await until("the other server", async () => {
      await vscode.commands.executeCommand("codehunch.copyDebugInformation");
      const { servers } = JSON.parse(await vscode.env.clipboard.readText());
      return servers.find(({ folder }) => folder === left.uri.fsPath)?.command === another && servers.length === Object.keys(interpreters).length;
    });
  },
};
