/** The version in what `codehunch --version` prints; undefined where it prints something else. */
export function versionIn(output: string): string | undefined {
  return /^codehunch\s+(\d+\.\d+\.\d+\S*)\s*$/m.exec(output)?.[1];
}

/** Whether a version is the oldest one or newer. Suffixes such as `rc1` are not compared. */
export function atLeast(version: string, oldest: string): boolean {
  const [left, right] = [numbers(version), numbers(oldest)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) {
      return difference > 0;
    }
  }
  return true;
}

function numbers(version: string): number[] {
  return version.split(".").map((part) => Number.parseInt(part, 10) || 0);
}
