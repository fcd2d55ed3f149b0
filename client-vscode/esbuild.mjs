// node esbuild.mjs: the extension as one file. node esbuild.mjs test: the unit tests, one file each.
import { rmSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const tests = process.argv[2] === "test";
const outdir = tests ? "build/test" : "dist";
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: tests ? readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`) : ["src/extension.ts"],
  outdir,
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  // VS Code gives `vscode` to extensions only: a unit test that needs it fails to start.
  external: ["vscode"],
  minify: !tests,
  sourcemap: tests ? "inline" : false,
  logLevel: "warning",
});
