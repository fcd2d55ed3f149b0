// Without a server that may be run: the status says what to do, and nothing of an untrusted workspace is started.
const { assert, vscode, root, pause, report, until, findings, open, servers } = require("./index.js");

async function state() {
  await vscode.commands.executeCommand("codehunch.copyDebugInformation");
  return JSON.parse(await vscode.env.clipboard.readText());
}

module.exports = {
  async "the status says what to do"({ text, trusted }) {
    const { document } = await open("unserved.py", text);
    const { state: shown } = await until("the status", async () => {
      const information = await state();
      return information.state.severity === "error" && information;
    });
    assert.equal(vscode.workspace.isTrusted, trusted);
    assert.match(shown.text, /no server/);
    assert.equal(shown.button[1], "codehunch.repair");
    assert.equal(shown.detail.includes("trust"), !trusted);
    await pause(1000);
    assert.deepEqual(servers(), []);
    assert.deepEqual(findings(document), []);
    report({ detail: shown.detail });
  },

  async "nothing of the workspace was run"() {
    const names = (await vscode.workspace.fs.readDirectory(root)).map(([name]) => name);
    assert.ok(!names.includes("was-run"), names.join(", "));
  },
};
