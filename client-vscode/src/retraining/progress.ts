/** What a retraining leaves in its folder, and how that reads. Knows nothing of VS Code. */

/** The answer of `codehunch retrain --status`. */
export interface NewestRun {
  /** The folder in which every run has one. */
  readonly runs: string;
  readonly report: string | null;
}

/** `progress.json` of a run, which is there only while it works. */
export interface Progress {
  readonly pid: number;
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly detail: string;
}

export function progressIn(text: string): Progress | undefined {
  try {
    const found = JSON.parse(text) as Partial<Progress> | null;
    const { pid, stage, done, total, detail } = found ?? {};
    const whole = typeof pid === "number" && typeof stage === "string" && typeof done === "number" && typeof total === "number";
    return whole ? { pid, stage, done, total, detail: typeof detail === "string" ? detail : "" } : undefined;
  } catch {
    return undefined;
  }
}

export function progressText({ stage, done, total, detail }: Progress): { text: string; detail: string } {
  const share = total > 0 ? Math.min(100, Math.max(0, Math.round((100 * done) / total))) : 0;
  return { text: `CodeHunch: retraining, ${share} %`, detail: detail === "" ? stage : `${stage}: ${detail}` };
}

/** The run that began last, by the names of the folders, which begin with the time. */
export function newest(names: readonly string[]): string | undefined {
  return names.filter((name) => /^\d{8}-\d{6}-/.test(name)).sort().at(-1);
}

/** What came of a run, from its `result.json`: a sentence for each task. */
export function verdicts(text: string): string[] {
  try {
    const { tasks } = JSON.parse(text) as { tasks?: Record<string, { promoted?: boolean; why?: string }> };
    return Object.entries(tasks ?? {}).map(
      ([task, { promoted, why }]) => `${task}: ${promoted ? "a better model is in use" : "the present model stays"}${why ? ` (${why})` : ""}`,
    );
  } catch {
    return [];
  }
}

/** A report as a page of its own: nothing in it runs, and nothing is fetched. */
export function reportPage(html: string): string {
  const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`;
  return /<meta charset[^>]*>/i.test(html) ? html.replace(/<meta charset[^>]*>/i, (charset) => charset + policy) : policy + html;
}
