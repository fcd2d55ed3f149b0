import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { find, sameServer, type Answer } from "../src/server/find";
import { isInside, onPath, places, type FileSystem, type Place, type Surroundings } from "../src/server/places";
import { atLeast, versionIn } from "../src/server/versions";

const AROUND: Surroundings = {
  serverSetting: "",
  interpreterSetting: "",
  interpreter: "/place/.venv/bin/python",
  environment: "/state/environment/bin/python",
  searchPath: ["", "bin", "/place/.venv/bin", "/usr/bin"],
  trusted: true,
  folders: ["/place"],
};

/** Files that exist; a link is written as file -> target. */
function disk(...files: string[]): FileSystem {
  const targets = new Map(files.map((entry) => [entry.replace(/ -> .*/, ""), entry.replace(/.* -> /, "")]));
  return { executable: (file) => targets.get(file) };
}

const EVERYTHING = disk("/place/.venv/bin/codehunch", "/usr/bin/codehunch", "/state/environment/bin/python");

suite("places", () => {
  const rows: [name: string, change: Partial<Surroundings>, files: FileSystem, expected: string[]][] = [
    ["interpreter, PATH, environment", {}, EVERYTHING, ["/place/.venv/bin/python -m codehunch", "/place/.venv/bin/codehunch", "/state/environment/bin/python -m codehunch"]],
    ["a set server stands alone", { serverSetting: "/opt/codehunch" }, EVERYTHING, ["/opt/codehunch"]],
    ["a set interpreter stands alone", { interpreterSetting: "/opt/python" }, EVERYTHING, ["/opt/python -m codehunch"]],
    ["no Python extension", { interpreter: undefined }, disk("/usr/bin/codehunch"), ["/usr/bin/codehunch"]],
    ["without trust nothing of the workspace", { trusted: false }, EVERYTHING, ["/usr/bin/codehunch", "/state/environment/bin/python -m codehunch"]],
    ["without trust no link into the workspace", { trusted: false }, disk("/usr/bin/codehunch -> /place/evil"), []],
    ["relative entries of PATH do not count", { interpreter: undefined }, disk("bin/codehunch", "codehunch"), []],
    ["nothing anywhere", { interpreter: undefined }, disk(), []],
  ];
  for (const [name, change, files, expected] of rows) {
    test(name, () => {
      const found = places({ ...AROUND, ...change }, files, false);
      assert.deepEqual(found.map(({ command, args }) => [command, ...args].join(" ")), expected);
    });
  }

  test("a program has its suffix on Windows", () => {
    assert.equal(places({ ...AROUND, interpreter: undefined }, disk("/usr/bin/codehunch.exe"), true)[0]?.command, "/usr/bin/codehunch.exe");
  });
  test("the first directory counts", () => {
    assert.equal(onPath(AROUND, EVERYTHING, "codehunch"), "/place/.venv/bin/codehunch");
  });
  for (const [file, expected] of [["/place", true], ["/place/a/b", true], ["/placeshop/a", false], ["/", false], ["/place/..x", true]] as const) {
    test(`${file} is ${expected ? "" : "not "}inside`, () => {
      assert.equal(isInside(file, ["/place"]), expected);
    });
  }
});

suite("find", () => {
  const at = (command: string): Place => ({ origin: "path", command, args: [] });
  const answers: Record<string, Answer> = { new: { version: "0.2.0" }, old: { version: "0.0.9" }, none: { reason: "no such module" } };
  const probe = (place: Place): Promise<Answer> => Promise.resolve(answers[place.command] ?? { reason: "?" });
  const rows: [places: string[], expected: string][] = [
    [["new"], "found new"],
    [["none", "new"], "found new"],
    [["old", "new"], "found new"],
    [["old", "none"], "old old"],
    [["none"], "missing none: no such module"],
    [[], "missing "],
  ];
  for (const [names, expected] of rows) {
    test(names.join(", ") || "nowhere", async () => {
      const found = await find(names.map(at), probe, "0.1.0");
      const rest = found.kind === "missing" ? found.attempts.map((each) => `${each.place.command}: ${each.reason}`).join() : found.server.command;
      assert.equal(`${found.kind} ${rest}`, expected);
    });
  }
  test("an upgraded server is another server", () => {
    const server = { ...at("x"), version: "0.1.0" };
    assert.ok(sameServer(server, { ...server, origin: "setting" }));
    assert.ok(!sameServer(server, { ...server, version: "0.1.1" }));
    assert.ok(!sameServer(server, undefined));
  });
});

suite("versions", () => {
  for (const [version, oldest, expected] of [["0.1.0", "0.1.0", true], ["0.10.0", "0.9.9", true], ["1.0.0rc1", "0.9.0", true], ["0.0.9", "0.1.0", false]] as const) {
    test(`${version} is ${expected ? "" : "not "}at least ${oldest}`, () => {
      assert.equal(atLeast(version, oldest), expected);
    });
  }
  for (const [output, expected] of [["codehunch 0.1.0\n", "0.1.0"], ["warning\ncodehunch 1.2.3rc1\r\n", "1.2.3rc1"], ["Python 3.11.2", undefined], ["", undefined]] as const) {
    test(`version in ${JSON.stringify(output)}`, () => {
      assert.equal(versionIn(output), expected);
    });
  }
});
