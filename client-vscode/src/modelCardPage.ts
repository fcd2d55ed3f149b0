/** The models' cards and manifests as a page. No script runs in it and nothing is fetched. */

/** What is used of a row of `codehunch bundles list --json`. */
export interface Listed {
  readonly name: string;
  readonly active: boolean;
  readonly path: string;
}

/** One model: its card as HTML, empty where it has none, and its manifest. */
export interface Card {
  readonly html: string;
  readonly manifest: unknown;
}

const SECTIONS = ["metrics", "parity", "quantization", "provenance"] as const;

export function cardPage(cards: readonly Card[]): string {
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{max-width:60em;padding:0 1.5em;line-height:1.5}table{border-collapse:collapse}
td,th{text-align:left;vertical-align:top;padding:.2em 1.2em .2em 0}th{font-weight:600}
summary{cursor:pointer;margin:1em 0}</style>
</head><body>${cards.map(section).join("\n<hr>\n")}</body></html>`;
}

function section({ html, manifest }: Card): string {
  return html === "" ? facts(manifest) : `${html}<details><summary>All numbers of the manifest</summary>${facts(manifest)}</details>`;
}

function facts(manifest: unknown): string {
  const table = isTable(manifest) ? manifest : {};
  const first = Object.fromEntries(["task", "languages", "created", "license"].map((key) => [key, table[key]]));
  const sections = SECTIONS.filter((name) => isTable(table[name]) && Object.keys(table[name]).length > 0);
  return [
    `<h1>${escaped(`${text(table.id)} ${text(table.version)}`)}</h1>`,
    rows(first),
    ...sections.map((name) => `<h2>${name[0]?.toUpperCase() ?? ""}${name.slice(1)}</h2>${rows(table[name])}`),
  ].join("\n");
}

function rows(value: unknown): string {
  if (!isTable(value)) {
    return escaped(text(value));
  }
  const lines = Object.entries(value).map(([key, inner]) => `<tr><th>${escaped(key.replaceAll("_", " "))}</th><td>${rows(inner)}</td></tr>`);
  return `<table>${lines.join("")}</table>`;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map(text).join(", ");
  }
  if (value === undefined) {
    return "";
  }
  if (typeof value === "number") {
    return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function escaped(plain: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return plain.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
