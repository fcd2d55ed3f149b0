// With a server: what a person meets, through the API of the editor.
const fs = require("node:fs");
const net = require("node:net");
const { assert, vscode, root, pause, report, until, findings, open, toEnd, servers } = require("./index.js");

const settings = () => vscode.workspace.getConfiguration("codehunch");
const extension = vscode.extensions.getExtension("codehunch.codehunch");

/** Where anything in this process has connected to since the extension was started. */
const connected = [];
const connect = net.Socket.prototype.connect;

/** Network sockets that a process and its children hold, by their inodes. */
function networkSockets(pid) {
  const tables = ["tcp", "tcp6", "udp", "udp6"].map((name) => fs.readFileSync(`/proc/${pid}/net/${name}`, "utf-8"));
  const known = new Set(tables.join("\n").split("\n").map((row) => row.trim().split(/\s+/)[9]));
  const held = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  const own = held.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]).filter((inode) => inode !== undefined && known.has(inode));
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf-8").trim().split(/\s+/).filter(Boolean);
  return [...own, ...children.flatMap(networkSockets)];
}

async function first(document) {
  return (await until("a finding", () => findings(document).length > 0 && findings(document)))[0];
}

module.exports = {
  async "activation is short"() {
    assert.ok(extension, "the packaged extension is installed");
    assert.ok(!extension.isActive, "no Python file is open, so it has not been started");
    net.Socket.prototype.connect = function (...options) {
      connected.push(JSON.stringify(options[0]));
      return connect.apply(this, options);
    };
    const begun = performance.now();
    const worked = process.cpuUsage();
    await extension.activate();
    const { user, system } = process.cpuUsage(worked);
    const work = Math.round((user + system) / 1000);
    report({ activation: Math.round(performance.now() - begun), work });
    // The clock also counts what else a busy machine does; the extension's part of it is the processor time.
    assert.ok(work < 200, `${work} ms of processor time`);
  },

  async "exactly the wrong token is underlined"({ name, text, wrong, line, column }) {
    const { document } = await open(name, text);
    const found = await until("the finding", () => findings(document).find((each) => each.range.start.line === line));
    assert.equal(document.getText(found.range), wrong);
    assert.equal(found.range.start.character, column);
    assert.notEqual(found.severity, vscode.DiagnosticSeverity.Error);
    report({ message: found.message });
  },

  async "hover explains it"({ name, line, column }) {
    const uri = vscode.Uri.joinPath(root, name);
    const hovers = await vscode.commands.executeCommand("vscode.executeHoverProvider", uri, new vscode.Position(line, column));
    const text = hovers.flatMap(({ contents }) => contents.map((each) => each.value ?? each)).join("\n");
    assert.match(text, /Confidence|false alarm|codehunch: ignore/);
  },

  async "the code leads to the page of its rule"({ name, line }) {
    const { target } = findings(await vscode.workspace.openTextDocument(vscode.Uri.joinPath(root, name))).find(
      ({ range }) => range.start.line === line,
    ).code;
    await vscode.commands.executeCommand("vscode.open", target);
    const tabs = () => vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    const shown = () => tabs().find(({ input }) => input instanceof vscode.TabInputWebview && input.viewType.includes("markdown"));
    await until("the page", shown);
    await vscode.window.tabGroups.close(shown());
  },

  async "the quick fix removes it"({ name, text, mended }) {
    const { document } = await open(name, text);
    const { range } = await first(document);
    const actions = await vscode.commands.executeCommand("vscode.executeCodeActionProvider", document.uri, range, "quickfix");
    const fix = actions.find(({ isPreferred }) => isPreferred);
    assert.ok(fix?.edit, `a repair among ${actions.map(({ title }) => title).join(", ")}`);
    await vscode.workspace.applyEdit(fix.edit);
    assert.equal(document.getText(), mended);
    await until("no finding", () => findings(document).length === 0);
  },

  "neither the extension nor the server uses the network"() {
    net.Socket.prototype.connect = connect;
    assert.deepEqual(connected, []);
    assert.deepEqual(servers().flatMap(networkSockets), []);
  },

  async "settings count at once"({ text }) {
    const { document } = await open("live.py", text);
    await first(document);
    await settings().update("diagnostics", false, vscode.ConfigurationTarget.Global);
    await until("no finding", () => findings(document).length === 0);
    await settings().update("diagnostics", undefined, vscode.ConfigurationTarget.Global);
    await first(document);
  },

  async "a killed server comes back"({ text }) {
    const { document } = await open("killed.py", text);
    await first(document);
    const before = servers();
    assert.ok(before.length > 0, "a server runs");
    for (const pid of before) {
      process.kill(pid, "SIGKILL");
    }
    await until("a new server", () => servers().some((pid) => !before.includes(pid)));
    const { document: other } = await open("after.py", text);
    await first(other);
  },

  async "a body after a docstring and after a comment, accepted and not offered again"({ described, commented }) {
    for (const [name, text] of Object.entries({ "described.py": described, "commented.py": commented })) {
      const { document, editor } = await open(name, text);
      toEnd(editor);
      await until(`a body in ${name}`, async () => {
        await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
        await pause(1500);
        await vscode.commands.executeCommand("editor.action.inlineSuggest.commit");
        return document.getText() !== text;
      });
      const written = document.getText();
      assert.ok(written.startsWith(text.trimEnd()), "what was there stays");
      await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
      await pause(1500);
      await vscode.commands.executeCommand("editor.action.inlineSuggest.commit");
      assert.equal(document.getText(), written, "nothing is offered where the body is");
      report({ [name]: written });
    }
  },

  async "the lightbulb writes a body"({ described }) {
    const { document, editor } = await open("bulb.py", described);
    const end = toEnd(editor);
    const range = new vscode.Range(end, end);
    const actions = await vscode.commands.executeCommand("vscode.executeCodeActionProvider", document.uri, range, "refactor.rewrite", 5);
    const action = actions.find(({ title }) => title.startsWith("Generate body"));
    assert.ok(action?.edit, actions.map(({ title }) => title).join(", "));
    await vscode.workspace.applyEdit(action.edit);
    assert.notEqual(document.getText(), described);
  },

  async "the command writes a body"({ described }) {
    const { document, editor } = await open("command.py", described);
    toEnd(editor);
    await vscode.commands.executeCommand("codehunch.generateBody");
    await until("a body", () => document.getText() !== described);
  },

  async "debug information is on the clipboard"() {
    await vscode.commands.executeCommand("codehunch.copyDebugInformation");
    const information = JSON.parse(await vscode.env.clipboard.readText());
    assert.equal(information.servers.length, 1);
    assert.match(information.servers[0].answer.version, /^\d+\.\d+/);
    assert.equal(information.servers[0].origin, "interpreter");
    assert.ok(information.state.detail.includes("defects"), `the status names the models: ${information.state.detail}`);
  },

  async "without ghost text the body is a list item"({ described }) {
    const editing = vscode.workspace.getConfiguration("editor");
    await editing.update("inlineSuggest.enabled", false, vscode.ConfigurationTarget.Global);
    try {
      const { document, editor } = await open("listed.py", described);
      const end = toEnd(editor);
      const item = await until("the item", async () => {
        const { items } = await vscode.commands.executeCommand("vscode.executeCompletionItemProvider", document.uri, end);
        return items.find(({ detail }) => detail?.startsWith("CodeHunch"));
      });
      report({ listed: item.label.label ?? item.label });
    } finally {
      await editing.update("inlineSuggest.enabled", undefined, vscode.ConfigurationTarget.Global);
    }
  },

  async "restart"({ text }) {
    const before = servers();
    await vscode.commands.executeCommand("codehunch.restart");
    await until("only a new server", () => servers().length > 0 && servers().every((pid) => !before.includes(pid)));
    await first((await open("restarted.py", text)).document);
  },
};
