// Tests that run inside VS Code's extension host, next to the packaged extension. $EXAMPLE in the workspace says what
// is wrong where. Each test logs one REPORT line.
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const vscode = require("vscode");

const root = vscode.workspace.workspaceFolders[0].uri;
const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const report = (row) => { console.log(`REPORT ${JSON.stringify(row)}`); };

async function until(what, condition, milliseconds = 240000) {
  for (const end = Date.now() + milliseconds; Date.now() < end; await pause(50)) {
    const value = await condition();
    if (value) {
      return value;
    }
  }
  throw new Error(`waited ${milliseconds} ms for ${what}`);
}

const findings = (document) => vscode.languages.getDiagnostics(document.uri).filter(({ source }) => source === "codehunch");

async function open(name, text) {
  const uri = vscode.Uri.joinPath(root, name);
  await vscode.workspace.fs.writeFile(uri, Buffer.from(text));
  const document = await vscode.workspace.openTextDocument(uri);
  const editor = await vscode.window.showTextDocument(document, { preview: false });
  return { document, editor };
}

function toEnd(editor) {
  const end = editor.document.lineAt(editor.document.lineCount - 1).range.end;
  editor.selection = new vscode.Selection(end, end);
  return end;
}

/** The servers that this window has started, and nobody else's. */
const servers = () => {
  try {
    return execFileSync("pgrep", ["-P", String(process.pid), "-f", "serve --stdio"]).toString().trim().split("\n").map(Number);
  } catch {
    return [];
  }
};

module.exports = { assert, vscode, root, pause, report, until, findings, open, toEnd, servers, path };

module.exports.run = async function run() {
  const example = JSON.parse(Buffer.from(await vscode.workspace.fs.readFile(vscode.Uri.joinPath(root, "example.json"))));
  const tests = require(`./${example.suite}.js`);
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    const begun = Date.now();
    try {
      await test(example);
      report({ test: name, outcome: "passed", milliseconds: Date.now() - begun });
    } catch (error) {
      failed += 1;
      report({ test: name, outcome: String(error.stack ?? error).slice(0, 800), milliseconds: Date.now() - begun });
    }
  }
  if (failed > 0) {
    throw new Error(`${failed} failed`);
  }
};
