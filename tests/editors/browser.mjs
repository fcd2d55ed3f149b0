// What the browser scripts share: a page that reaches nothing but this machine, and small steps in the workbench.
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

const { chromium } = createRequire(process.env.BROWSER_MODULES)("playwright-core");
export const { ADDRESS, OUT, WORKSPACE } = process.env;
export const tell = (row) => { console.log(JSON.stringify(row)); };
const started = Date.now();

/** Run `drive(page)` in a fresh browser; a failure leaves a screenshot and ends the process with 1. */
export async function withPage(drive, payload = []) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1280, height: 800 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-first-run"],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const asked = new Set();
  let code = 0;
  try {
    await context.route(/^https?:\/\/(?!127\.0\.0\.1[:/])/, (route) => {
      asked.add(new URL(route.request().url()).host);
      return route.abort();
    });
    const kind = WORKSPACE.endsWith(".code-workspace") ? "workspace" : "folder";
    const query = new URLSearchParams({ [kind]: WORKSPACE, payload: JSON.stringify(payload) });
    const loading = () => page.goto(`${ADDRESS}/?${query}`, { waitUntil: "domcontentloaded" });
    code = (await drive(page, loading)) ?? 0;
    tell({ elsewhere: [...asked] });
  } catch (error) {
    code = 1;
    console.error(`after ${Date.now() - started} ms: ${error.stack ?? error}`);
    await page.screenshot({ path: path.join(OUT, "failure.png") }).catch(() => undefined);
  } finally {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
  process.exit(code);
}

export const remote = (file) => `vscode-remote://${new URL(ADDRESS).host}${file}`;
export const shot = (page, name) => page.screenshot({ path: path.join(OUT, `${name}.png`) });

/** Choose a command of the palette by its title. */
export async function command(page, title) {
  await choose(page, "F1", `>${title}`, title.replace(/^.*: /, ""));
}

/** Open a file of the workspace and put the cursor at its end. */
export async function openAtEnd(page, name) {
  await choose(page, "Control+P", name, name, `.tab.active:has-text('${name}')`);
  await page.locator(".monaco-editor .view-line").last().click();
  await page.keyboard.press("Control+End");
}

/** Take a row of one of the lists that open above the editor; `seen` appears by it. */
async function choose(page, key, typed, row, seen = undefined) {
  const soon = { timeout: 10000 };
  await attempt(3, async () => {
    await page.keyboard.press("Escape");
    await page.keyboard.press(key);
    await page.locator(".quick-input-widget:visible input[type='text']").first().fill(typed, soon);
    await page.locator(`.quick-input-list .monaco-list-row:has-text("${row}")`).first().click(soon);
    if (seen) {
      await page.waitForSelector(seen, soon);
    }
  });
}

/** A page that has just been opened takes the keyboard when it is done loading, from whatever has it then: once more. */
export async function attempt(times, action) {
  try {
    await action();
  } catch (error) {
    if (times <= 1) {
      throw error;
    }
    await attempt(times - 1, action);
  }
}

/** What the language status says; the panel is left open for a picture. */
export async function languageStatus(page, expected) {
  await page.locator("[id='status.languageStatus']").hover();
  const panel = page.locator(".hover-language-status").filter({ hasText: expected });
  await panel.first().waitFor({ timeout: 300000 });
  return (await page.locator(".hover-language-status").allInnerTexts()).join("\n");
}

/** The text of the page that a webview shows. */
export async function webviewText(page, expected) {
  for (const end = Date.now() + 300000; Date.now() < end; await page.waitForTimeout(100)) {
    for (const frame of page.frames()) {
      const text = await frame.evaluate(() => document.body?.innerText ?? "").catch(() => "");
      if (frame !== page.mainFrame() && expected.test(text)) {
        return text;
      }
    }
  }
  throw new Error(`no webview with ${expected}`);
}
