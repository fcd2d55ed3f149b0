/** What pip is asked to install. Knows nothing of VS Code. */

/**
 * Arguments for `python`. `source` is empty for the package index, a wheel, or a folder of wheels; with a folder
 * nothing is fetched from a network.
 */
export function installArguments(source: string, isFolder: boolean, oldest: string): string[] {
  const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input"];
  if (source === "") {
    return [...pip, `codehunch>=${oldest}`];
  }
  return isFolder ? [...pip, "--no-index", "--find-links", source, "codehunch"] : [...pip, source];
}

/** Whether "3 11", as printed by Python, is new enough for the server. */
export function isPythonNewEnough(printed: string): boolean {
  const [major = 0, minor = 0] = printed.trim().split(/\s+/).map(Number);
  return major > 3 || (major === 3 && minor >= 11);
}
