/** Where a server may be, in the order in which the places are tried. Knows nothing of VS Code. */

import * as path from "node:path";

export type Origin = "setting" | "interpreter" | "path" | "environment";

/** How a server that may be somewhere would be run. */
export interface Place {
  readonly origin: Origin;
  readonly command: string;
  readonly args: readonly string[];
}

export interface Surroundings {
  /** `codehunch.server.path`: an executable; empty where nothing is set. */
  readonly serverSetting: string;
  /** `codehunch.server.interpreter`: a Python with the package; empty where nothing is set. */
  readonly interpreterSetting: string;
  /** What the Python extensions chose for this folder. */
  readonly interpreter: string | undefined;
  /** Interpreter of the environment this extension manages, whether or not it exists. */
  readonly environment: string;
  /** The directories of PATH. */
  readonly searchPath: readonly string[];
  /** Whether the person trusts the workspace; without trust nothing that lies in it is run. */
  readonly trusted: boolean;
  /** The folders of the workspace. */
  readonly folders: readonly string[];
}

export interface FileSystem {
  /** The file behind all links, or undefined where there is no file that can be run. */
  executable(file: string): string | undefined;
}

const MODULE = ["-m", "codehunch"] as const;

/** The places to try, the best first. A setting stands alone: what a person named is not replaced in silence. */
export function places(around: Surroundings, files: FileSystem, windows = process.platform === "win32"): Place[] {
  if (around.serverSetting !== "") {
    return [{ origin: "setting", command: around.serverSetting, args: [] }];
  }
  if (around.interpreterSetting !== "") {
    return [{ origin: "setting", command: around.interpreterSetting, args: MODULE }];
  }
  const found: Place[] = [];
  if (around.interpreter !== undefined && around.trusted) {
    found.push({ origin: "interpreter", command: around.interpreter, args: MODULE });
  }
  const command = onPath(around, files, windows ? "codehunch.exe" : "codehunch");
  if (command !== undefined) {
    found.push({ origin: "path", command, args: [] });
  }
  if (files.executable(around.environment) !== undefined) {
    found.push({ origin: "environment", command: around.environment, args: MODULE });
  }
  return found;
}

/** The first file of a name on PATH. Relative entries mean whatever folder is open, so they are left out. */
export function onPath(
  around: Pick<Surroundings, "searchPath" | "trusted" | "folders">,
  files: FileSystem,
  name: string,
): string | undefined {
  for (const directory of around.searchPath) {
    if (!path.isAbsolute(directory)) {
      continue;
    }
    const file = path.join(directory, name);
    const real = files.executable(file);
    if (real !== undefined && (around.trusted || ![file, real].some((each) => isInside(each, around.folders)))) {
      return file;
    }
  }
  return undefined;
}

export function isInside(file: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const way = path.relative(folder, file);
    return way === "" || (way.split(path.sep)[0] !== ".." && !path.isAbsolute(way));
  });
}
