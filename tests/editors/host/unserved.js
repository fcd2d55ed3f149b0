// Without a server that may be run: the status says what to do, and nothing of an untrusted workspace is started.
const fs = require("node:fs");
const { assert, vscode, root, pause, report, until, findings, open, servers } = require("./index.js");

/** A program that answers --version, and does what `rest` says when it is asked to serve. */
function program(name, version, rest) {
  const file = root.with({ path: `${root.path}/../${name}` }).fsPath;
  fs.writeFileSync(file, `#!/bin/sh\n[ "$1" = --version ] && echo "codehunch ${version}" && exit\n${rest}\n`, { mode: 0o755 });
  return file;
}

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

  async "a server that is too old, and one that cannot run, are told apart"({ trusted }) {
    if (!trusted) {
      return;
    }
    const settings = vscode.workspace.getConfiguration("codehunch");
    const rows = [["old", "0.0.1", "sleep 60", /too old/, "codehunch.repair"], ["crashing", "99.0.0", "exit 3", /stopped/, "codehunch.restart"]];
    for (const [name, version, rest, text, button] of rows) {
      await settings.update("server.path", program(name, version, rest), vscode.ConfigurationTarget.Workspace);
      const shown = await until(`the status of ${name}`, async () => {
        const found = (await state()).state;
        return text.test(found.text) && found;
      });
      assert.equal(shown.button[1], button);
      report({ [name]: shown.detail });
    }
    await settings.update("server.path", undefined, vscode.ConfigurationTarget.Workspace);
    await until("the first status", async () => /no server/.test((await state()).state.text));
  },

  async "nothing of the workspace was run"() {
    const names = (await vscode.workspace.fs.readDirectory(root)).map(([name]) => name);
    assert.ok(!names.includes("was-run"), names.join(", "));
  },
};
