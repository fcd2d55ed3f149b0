/** What a person has set. Takes a reader of settings, so that it can be tested without VS Code. */

import { homedir } from "node:os";

import { SERVER_SETTINGS } from "./generated";

/** The part of vscode.WorkspaceConfiguration that is used here. */
export interface Configuration {
  get(key: string): unknown;
  inspect(key: string): Readonly<Record<string, unknown>> | undefined;
}

/**
 * The settings of the server that somebody has set, by their name without the prefix.
 *
 * Defaults are left out: to the server everything the editor says outranks the project's settings file.
 */
export function explicitSettings(configuration: Configuration): Record<string, unknown> {
  const table: Record<string, unknown> = {};
  for (const key of SERVER_SETTINGS) {
    const places = configuration.inspect(key) ?? {};
    const set = Object.entries(places).some(([place, value]) => place.endsWith("Value") && place !== "defaultValue" && value !== undefined);
    if (set) {
      table[key] = configuration.get(key);
    }
  }
  return table;
}

/** The settings that the server reads at its start only; when one of them changes it has to be started anew. */
export const AT_START: readonly string[] = ["workspaceDiagnostics"];

export function settingsAtStart(table: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).filter(([key]) => AT_START.includes(key)));
}

/** Options of `codehunch check` that say the same as the editor's settings. */
export function checkOptions(table: Readonly<Record<string, unknown>>): string[] {
  const options: string[] = [];
  for (const key of ["sensitivity", "select", "ignore", "exclude", "threads"]) {
    const value = table[key];
    const text = Array.isArray(value) ? value.join(",") : value;
    if ((typeof text === "string" && text !== "") || typeof text === "number") {
      options.push(`--${key}`, String(text));
    }
  }
  return options;
}

/** `~` and `${workspaceFolder}` in a path; a variable without a folder leaves nothing to run. */
export function expanded(setting: string, folder: string | undefined): string {
  if (setting.includes("${workspaceFolder}")) {
    return folder === undefined ? "" : setting.replaceAll("${workspaceFolder}", folder);
  }
  return setting === "~" || setting.startsWith("~/") ? homedir() + setting.slice(1) : setting;
}
