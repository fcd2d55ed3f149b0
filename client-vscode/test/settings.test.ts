import assert from "node:assert/strict";
import { homedir } from "node:os";
import { suite, test } from "node:test";

import manifest from "../package.json";
import { SERVER_SETTINGS } from "../src/generated";
import { AT_START, checkOptions, expanded, explicitSettings, settingsAtStart } from "../src/settings";

suite("explicit settings", () => {
  const rows: [name: string, places: Record<string, unknown>, sent: boolean][] = [
    ["a default is not sent", { defaultValue: "medium" }, false],
    ["a person's value is sent", { defaultValue: "medium", globalValue: "low" }, true],
    ["a value equal to the default is sent", { defaultValue: "low", workspaceValue: "low" }, true],
    ["a folder's value is sent", { workspaceFolderValue: "low" }, true],
    ["a value for one language is sent", { globalLanguageValue: "low" }, true],
    ["languages alone are no value", { languageIds: ["python"] }, false],
  ];
  for (const [name, places, sent] of rows) {
    test(name, () => {
      const inspect = (key: string): Record<string, unknown> => (key === "sensitivity" ? places : {});
      assert.deepEqual(explicitSettings({ get: () => "low", inspect }), sent ? { sensitivity: "low" } : {});
    });
  }
});

test("only what is read at the start is sent at the start", () => {
  assert.deepEqual(settingsAtStart({ sensitivity: "low", workspaceDiagnostics: true }), { workspaceDiagnostics: true });
  assert.deepEqual(AT_START.filter((name) => !SERVER_SETTINGS.includes(name)), []);
});

suite("options of a scan", () => {
  const rows: [table: Record<string, unknown>, expected: string][] = [
    [{}, ""],
    [{ sensitivity: "high", threads: 2 }, "--sensitivity high --threads 2"],
    [{ select: ["CH101", "CH102"], ignore: [] }, "--select CH101,CH102"],
    [{ exclude: ["a/", "b"], diagnostics: true, threads: null }, "--exclude a/,b"],
  ];
  for (const [table, expected] of rows) {
    test(JSON.stringify(table), () => {
      assert.equal(checkOptions(table).join(" "), expected);
    });
  }
});

suite("paths", () => {
  const rows: [setting: string, folder: string | undefined, expected: string][] = [
    ["/opt/x", undefined, "/opt/x"],
    ["${workspaceFolder}/x", "/place", "/place/x"],
    ["${workspaceFolder}/x", undefined, ""],
    ["~/x", undefined, `${homedir()}/x`],
    ["a~/x", undefined, "a~/x"],
  ];
  for (const [setting, folder, expected] of rows) {
    test(setting, () => {
      assert.equal(expanded(setting, folder), expected);
    });
  }
});

suite("manifest", () => {
  const properties = manifest.contributes.configuration.flatMap(({ properties }) => Object.entries(properties as Record<string, { scope?: string }>));
  test("every setting of the server can be set", () => {
    const names = new Set(properties.map(([name]) => name));
    assert.deepEqual(SERVER_SETTINGS.filter((name) => !names.has(`codehunch.${name}`)), []);
  });
  test("every setting has a scope", () => {
    assert.deepEqual(properties.filter(([, { scope }]) => scope === undefined), []);
  });
  const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
  test("what is restricted can be set", () => {
    assert.deepEqual(restricted.filter((name) => !properties.some(([each]) => each === name)), []);
  });
  test("what names a file, a program, a model or a machine is restricted", () => {
    const naming = /\.(path|interpreter|wheel|baseline|models|generationModel|endpoint)$/;
    assert.deepEqual(properties.map(([name]) => name).filter((name) => naming.test(name)).sort(), [...restricted].sort());
  });
  test("what says what is run, and where code goes, is no matter of a workspace alone", () => {
    for (const [name, scopes] of [
      ["server.path", ["machine-overridable"]],
      ["server.interpreter", ["machine-overridable"]],
      ["server.wheel", ["machine"]],
      ["inference.endpoint", ["machine"]],
    ] as const) {
      const scope = properties.find(([each]) => each === `codehunch.${name}`)?.[1].scope;
      assert.ok(scope !== undefined && (scopes as readonly string[]).includes(scope), `${name}: ${String(scope)}`);
    }
  });
  test("every command of a menu, key or walkthrough exists", () => {
    const known = new Set(manifest.contributes.commands.map(({ command }) => command));
    const { menus, keybindings, walkthroughs } = manifest.contributes;
    const used = [...Object.values(menus).flat(), ...keybindings].map(({ command }) => command);
    const linked = JSON.stringify(walkthroughs).match(/command:codehunch\.\w+/g) ?? [];
    assert.deepEqual([...used, ...linked.map((link) => link.slice("command:".length))].filter((each) => !known.has(each)), []);
  });
});
