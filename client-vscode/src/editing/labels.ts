/** How a candidate reads in a list: its first line, then the others. */
export function labelOf(text: string): { label: string; detail?: string } {
  const [label = "", ...others] = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return others.length === 0 ? { label } : { label, detail: others.join("  ⏎  ") };
}
