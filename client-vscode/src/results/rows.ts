/** Reading `codehunch check --format json` while it is written. Knows nothing of VS Code. */

/** One finding. Rows and columns count from 1, columns in code points; the end is exclusive. */
export interface Row {
  readonly filename: string;
  readonly code: string;
  readonly message: string;
  readonly location: Point;
  readonly end_location: Point;
  readonly confidence: number;
}

interface Point {
  readonly row: number;
  readonly column: number;
}

/** Cuts a stream of text into rows. The format writes one row per line, between brackets and commas. */
export class RowReader {
  private rest = "";

  /** The rows that this piece of text completes. */
  feed(text: string): Row[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => rowIn(line) ?? []);
  }

  /** The row of the last line, which may lack its line end. */
  end(): Row[] {
    return this.feed("\n");
  }
}

/** The UTF-16 offset of a column in its line. */
export function utf16Offset(line: string, column: number): number {
  return Array.from(line).slice(0, column - 1).join("").length;
}

function rowIn(line: string): Row | undefined {
  const text = line.trim().replace(/^\[/, "").replace(/[,\]]+$/, "").trim();
  if (!text.startsWith("{")) {
    return undefined;
  }
  try {
    return JSON.parse(text) as Row;
  } catch {
    return undefined;
  }
}
