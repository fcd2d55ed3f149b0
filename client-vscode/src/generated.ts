/** Written by scripts/settings.py: the settings that are the server's. */
export const SERVER_SETTINGS: readonly string[] = ["sensitivity", "select", "ignore", "perFileIgnores", "exclude", "threads", "diagnostics", "workspaceDiagnostics", "inlayHints", "generation", "generationSeconds", "idleUnload", "memoryLimit"];
