// The extension installs a server of its own, without a network, and starts it.
const { assert, vscode, report, until, findings, open } = require("./index.js");

module.exports = {
  async "an environment is created and used"({ text }) {
    const { document } = await open("installed.py", text);
    await vscode.extensions.getExtension("codehunch.codehunch").activate();
    await vscode.commands.executeCommand("codehunch.createEnvironment");
    await until("a finding", () => findings(document).length > 0);
    await vscode.commands.executeCommand("codehunch.copyDebugInformation");
    const { servers } = JSON.parse(await vscode.env.clipboard.readText());
    assert.equal(servers[0].origin, "environment");
    report({ version: servers[0].version });
  },
};
