import assert from "node:assert/strict";
import { suite, test } from "node:test";

import manifest from "../package.json";
import { labelOf } from "../src/editing/labels";
import { cardPage } from "../src/modelCardPage";
import { newest, progressIn, progressText, reportPage, verdicts } from "../src/retraining/progress";
import { RowReader, utf16Offset } from "../src/results/rows";
import { installArguments, isPythonNewEnough } from "../src/server/pip";
import { modelsIn, shown, type State } from "../src/state";

const server = { origin: "path", command: "/usr/bin/codehunch", args: [], version: "0.1.0" } as const;
const attempts = [{ place: server, reason: "no such module" }];

suite("status", () => {
  const rows: [state: State, text: RegExp, detail: RegExp, severity: string][] = [
    [{ kind: "looking" }, /^CodeHunch$/, /looking/, "information"],
    [{ kind: "ready", server, models: "defects-python 1" }, /0\.1\.0/, /defects-python 1/, "information"],
    [{ kind: "ready", server, models: "" }, /0\.1\.0/, /\/usr\/bin\/codehunch/, "information"],
    [{ kind: "degraded", server, problem: "no model" }, /degraded/, /no model/, "warning"],
    [{ kind: "crashed", server }, /stopped/, /ended/, "error"],
    [{ kind: "old", server }, /too old/, /0\.1\.0 at .* or newer/, "error"],
    [{ kind: "missing", attempts, trusted: true }, /no server/, /no such module$/, "error"],
    [{ kind: "missing", attempts: [], trusted: false }, /no server/, /not installed; .*trust/, "error"],
  ];
  const known = new Set(manifest.contributes.commands.map(({ command }) => command));
  for (const [state, text, detail, severity] of rows) {
    test(`${state.kind}: ${String(detail)}`, () => {
      const row = shown(state);
      assert.match(row.text, text);
      assert.match(row.detail, detail);
      assert.equal(row.severity, severity);
      assert.ok(known.has(row.button[1]), "the button does something");
    });
  }
  test("names of models", () => {
    assert.equal(modelsIn({ worker: { bundles: { defects: "a 1", generation: "b 2" } } }), "a 1, b 2");
    assert.equal(modelsIn({ worker: null }), "");
    assert.equal(modelsIn({ worker: { bundles: { defects: ["a 1", "c 3"], generation: [] } } }), "a 1, c 3");
    assert.equal(modelsIn({ worker: "TimeoutError" }), undefined);
  });
});

suite("rows of a scan", () => {
  const row = (name: string): string => JSON.stringify({ filename: name, message: "[x], {y}" });
  const whole = `[\n  ${row("a")},\n  ${row("b")}\n]\n`;
  for (const size of [1, 7, 1000]) {
    test(`in pieces of ${size}`, () => {
      const reader = new RowReader();
      const found = [];
      for (let at = 0; at < whole.length; at += size) {
        found.push(...reader.feed(whole.slice(at, at + size)));
      }
      assert.deepEqual([...found, ...reader.end()].map(({ filename, message }) => filename + message), ["a[x], {y}", "b[x], {y}"]);
    });
  }
  test("no findings, and what is no row", () => {
    assert.deepEqual(new RowReader().feed("[]\nsome text\n{broken\n"), []);
  });
  for (const [line, column, expected] of [["abc", 1, 0], ["abc", 3, 2], ["😀b", 2, 2], ["é😀x", 3, 3], ["a", 9, 1]] as const) {
    test(`column ${column} of ${line}`, () => {
      assert.equal(utf16Offset(line, column), expected);
    });
  }
});

suite("labels", () => {
  for (const [text, expected] of [["\n    return x\n", ["return x"]], ["a = 1\n    b = 2\n\n    c", ["a = 1", "b = 2  ⏎  c"]], ["", [""]]] as const) {
    test(JSON.stringify(text), () => {
      assert.deepEqual(Object.values(labelOf(text)), expected);
    });
  }
});

suite("installing", () => {
  test("from the index", () => {
    assert.ok(installArguments("", false, "0.1.0").includes("codehunch>=0.1.0"));
  });
  test("a folder of wheels needs no network", () => {
    assert.deepEqual(installArguments("/wheels", true, "0.1.0").slice(-4), ["--no-index", "--find-links", "/wheels", "codehunch"]);
  });
  test("one wheel", () => {
    assert.equal(installArguments("/w/codehunch.whl", false, "0.1.0").at(-1), "/w/codehunch.whl");
  });
  for (const [printed, expected] of [["3 11\n", true], ["3 9", false], ["4 0", true], ["2 7", false], ["", false]] as const) {
    test(`Python ${printed.trim()}`, () => {
      assert.equal(isPythonNewEnough(printed), expected);
    });
  }
});

suite("model card", () => {
  test("nothing of a manifest becomes markup", () => {
    const page = cardPage([{ html: "", manifest: { id: "<script>alert(1)</script>", version: "1", metrics: { "<b>": [1, "&"] } } }]);
    assert.ok(!page.includes("<script>") && !page.includes("<b>"));
    assert.match(page, /default-src 'none'/);
    assert.match(page, /1, &amp;/);
  });
  test("the card comes first, and numbers are short", () => {
    const page = cardPage([{ html: "<h1>Card</h1>", manifest: { id: "x", metrics: { auc_peak: 0.123456789 } } }]);
    assert.match(page, /<h1>Card<\/h1><details>.*auc peak.*>0\.1235</s);
  });
  test("only sections with content", () => {
    const page = cardPage([{ html: "", manifest: { id: "x", version: "1", metrics: { auc: 0.9 }, provenance: {} } }]);
    assert.match(page, /Metrics.*auc.*0\.9/s);
    assert.doesNotMatch(page, /Provenance/);
  });
});

suite("retraining", () => {
  const whole = { pid: 1, stage: "mining", done: 1, total: 4, detail: "a, 10 rows" };
  test("progress is read and shown", () => {
    const found = progressIn(JSON.stringify(whole));
    assert.ok(found);
    assert.deepEqual(progressText(found), { text: "CodeHunch: retraining, 25 %", detail: "mining: a, 10 rows" });
    assert.deepEqual(progressText({ ...whole, total: 0, detail: "" }), { text: "CodeHunch: retraining, 0 %", detail: "mining" });
  });
  for (const text of ["", "null", "[]", "{", JSON.stringify({ ...whole, pid: "1" })]) {
    test(`no progress in ${JSON.stringify(text)}`, () => {
      assert.equal(progressIn(text), undefined);
    });
  }
  test("the newest run", () => {
    assert.equal(newest(["20260102-030405-a", "20260102-030406-b", "clones", "x"]), "20260102-030406-b");
    assert.equal(newest(["clones"]), undefined);
  });
  test("what came of it", () => {
    const result = { tasks: { defects: { promoted: true, why: "+5.0" }, generation: { promoted: false } } };
    assert.deepEqual(verdicts(JSON.stringify(result)), ["defects: a better model is in use (+5.0)", "generation: the present model stays"]);
    assert.deepEqual(verdicts(""), []);
  });
  test("a report gets a policy", () => {
    assert.match(reportPage('<!doctype html><meta charset="utf-8"><p>x'), /charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'/);
    assert.match(reportPage("<p>x"), /^<meta http-equiv/);
  });
});
