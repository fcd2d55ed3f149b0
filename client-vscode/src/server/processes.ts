/** Starting programs: always from the home folder and never with the working folder on Python's path. */

import { execFile, spawn, type ChildProcessWithoutNullStreams, type ExecFileException } from "node:child_process";
import * as fs from "node:fs";
import { homedir } from "node:os";

import type { Answer } from "./find";
import type { FileSystem, Place } from "./places";
import { versionIn } from "./versions";

const PROBE_MILLISECONDS = 30_000;

/** `python -m` would import a codehunch.py of the working folder; PYTHONSAFEPATH and the home folder prevent it. */
export function safeOptions(): { cwd: string; env: NodeJS.ProcessEnv } {
  return { cwd: homedir(), env: { ...process.env, PYTHONSAFEPATH: "1", PYTHONIOENCODING: "utf-8" } };
}

export function start(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(command, [...args], safeOptions());
}

/** Ask a place for its version. Never rejects. */
export function probe(place: Place): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { ...safeOptions(), timeout: PROBE_MILLISECONDS };
    execFile(place.command, [...place.args, "--version"], options, (error, stdout, stderr) => {
      const version = versionIn(stdout);
      if (error === null && version !== undefined) {
        resolve({ version });
      } else {
        resolve({ reason: reasonOf(error, stderr) });
      }
    });
  });
}

/** Run to the end and give back stdout; rejects with the last line of stderr. */
export function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { ...safeOptions(), maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
      } else {
        reject(new Error(reasonOf(error, stderr)));
      }
    });
  });
}

export const realFiles: FileSystem = {
  executable(file) {
    try {
      fs.accessSync(file, fs.constants.X_OK);
      return fs.statSync(file).isFile() ? fs.realpathSync(file) : undefined;
    } catch {
      return undefined;
    }
  },
};

function reasonOf(error: ExecFileException | null, stderr: string): string {
  if (error?.code === "ENOENT") {
    return "there is no such program";
  }
  if (error?.killed) {
    return "it did not answer in time";
  }
  const last = stderr.trim().split(/\r?\n/).at(-1) ?? "";
  return last !== "" ? last : "it is not CodeHunch";
}
