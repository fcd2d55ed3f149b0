// What a person sees in the window: the squiggle, the hover, the repair, the status, a scan, bodies, the webviews.
import fs from "node:fs";
import path from "node:path";
import { attempt, command, languageStatus, openAtEnd, remote, shot, tell, webviewText, withPage, WORKSPACE } from "./browser.mjs";

const { FILE, REPAIR, RUNS } = process.env;
const SQUIGGLE = ".monaco-editor .squiggly-warning, .monaco-editor .squiggly-info";
const GHOST = ".monaco-editor .ghost-text, .monaco-editor .ghost-text-decoration, .monaco-editor .suggestion-preview";
const SOON = { timeout: 10000 };
const LONG = { timeout: 300000 };
const lines = async (page) => (await page.locator(".monaco-editor .view-line").allInnerTexts()).map((line) => line.replaceAll("\u00a0", " "));

/** The letters that a box covers. */
const lettersIn = (page, box) => page.evaluate(({ left, right, top, bottom }) => {
  const range = document.createRange();
  let text = "";
  const walker = document.createTreeWalker(document.querySelector(".monaco-editor .view-lines"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let at = 0; at < node.length; at += 1) {
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const { left: l, right: r, top: t, bottom: b } = range.getBoundingClientRect();
      const [x, y] = [(l + r) / 2, (t + b) / 2];
      if (x > left && x < right && y > top && y < bottom) text += node.data[at];
    }
  }
  return text;
}, { left: box.x, right: box.x + box.width, top: box.y, bottom: box.y + box.height });

async function finding(page) {
  const squiggle = await page.waitForSelector(SQUIGGLE, LONG);
  const box = await squiggle.boundingBox();
  tell({ underlined: await lettersIn(page, box) });
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector(".monaco-hover:visible >> text=/CH1\\d\\d/", LONG);
  await page.waitForSelector(".monaco-hover:visible >> text=/^Quick Fix/", LONG);
  tell({ hover: (await page.locator(".monaco-hover:visible").allInnerTexts()).join("\n") });
  await shot(page, "finding");
}

/** The code in the hover leads to the page of the rule. */
async function rule(page) {
  await page.locator(".monaco-hover:visible a.code-link").first().click();
  tell({ rule: (await webviewText(page, /CH1\d\d/)).slice(0, 200) });
  await shot(page, "rule");
  await page.keyboard.press("Control+F4");
  await openAtEnd(page, FILE);
}

/** Choose the repair whose title begins so, for what is underlined in a box. */
async function applied(page, box, title) {
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  // Where the mouse rests a hover comes late, and takes the list away.
  await page.mouse.move(640, 600);
  const row = page.locator(".action-widget .monaco-list-row", { hasText: title }).first();
  for (const end = Date.now() + LONG.timeout; Date.now() < end && !(await row.isVisible()); ) {
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+.");
    await row.waitFor({ timeout: 15000 }).catch(() => undefined);
  }
  await shot(page, "fixes");
  await page.locator(".action-widget .monaco-list-row", { hasText: title }).first().click();
}

async function repair(page) {
  await applied(page, await (await page.waitForSelector(SQUIGGLE, LONG)).boundingBox(), REPAIR);
  await page.waitForSelector(SQUIGGLE, { state: "detached", ...LONG });
  tell({ repaired: (await lines(page)).join("\n") });
  await shot(page, "repaired");
  await page.keyboard.press("Control+Z");
  await page.waitForSelector(SQUIGGLE, LONG);
}

async function status(page) {
  tell({ status: await languageStatus(page, /defects-|CodeHunch \d/) });
  await shot(page, "status");
  await page.mouse.move(640, 300);
  await page.locator(".hover-language-status").first().waitFor({ state: "detached", ...LONG });
}

async function scan(page) {
  await command(page, "CodeHunch: Scan Workspace");
  // What the notifications say from the first sign of progress to the summary.
  const said = new Set();
  for (const end = Date.now() + 300000; Date.now() < end && ![...said].some((text) => text.includes("in the workspace")); ) {
    for (const text of await page.locator(".notifications-toasts .notification-list-item").allInnerTexts()) {
      if (!said.has(text)) {
        said.add(text);
        await shot(page, text.includes("scanning") ? "scanning" : "scanned");
      }
    }
    await page.waitForTimeout(20);
  }
  tell({ scanning: [...said] });
  await page.waitForSelector(".pane-body .monaco-list-row >> text=/CH1\\d\\d/", LONG);
  tell({ scan: await page.locator(".pane-body .monaco-list-row").allInnerTexts() });
  await shot(page, "scan");
  await command(page, "View: Hide Panel");
  await command(page, "Notifications: Clear All Notifications");
}

async function ghost(page, name) {
  await openAtEnd(page, `${name}.py`);
  // As a person goes on after a docstring or a comment: nothing asks for the body by name.
  await page.keyboard.press("Enter");
  const before = await lines(page);
  await page.waitForSelector(GHOST, LONG);
  const shown = (await page.locator(GHOST).allInnerTexts()).join("");
  await shot(page, `ghost-${name}`);
  await page.keyboard.press("Tab");
  await page.waitForTimeout(500);
  const after = await lines(page);
  await page.waitForTimeout(2500);
  const again = (await page.locator(GHOST).allInnerTexts()).join("");
  tell({ [name]: { ghost: shown, accepted: after.join("\n") !== before.join("\n") && after.join("\n"), again } });
  await shot(page, `accepted-${name}`);
}

async function picker(page) {
  await openAtEnd(page, "picked.py");
  await page.keyboard.press("Enter");
  const before = (await lines(page)).join("\n");
  await command(page, "CodeHunch: Choose among Generated Bodies");
  await page.waitForSelector(".monaco-diff-editor .line-insert", LONG);
  await page.waitForSelector(".quick-input-widget:visible .quick-input-list .monaco-list-row", LONG);
  tell({ candidates: await page.locator(".quick-input-list .monaco-list-row").allInnerTexts() });
  await shot(page, "picker");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".monaco-diff-editor", { state: "detached", ...LONG });
  const changed = async () => (await lines(page)).join("\n") !== before;
  for (const end = Date.now() + 30000; Date.now() < end && !(await changed());) {
    await page.waitForTimeout(200);
  }
  tell({ picked: await changed() });
}

async function models(page) {
  await command(page, "CodeHunch: Show Model Card");
  tell({ card: await webviewText(page, /metrics|all numbers/i) });
  await shot(page, "model-card");
}

/** As `codehunch retrain` leaves them: progress while it works, then a result and a report. */
async function retraining(page) {
  const folder = path.join(RUNS, "20260101-000000-0123456789");
  fs.mkdirSync(folder, { recursive: true });
  const progress = { pid: process.pid, stage: "training", done: 42, total: 100, detail: "step 420" };
  fs.writeFileSync(path.join(folder, "run.json"), "{}");
  fs.writeFileSync(path.join(folder, "progress.json"), JSON.stringify(progress));
  await openAtEnd(page, FILE);
  tell({ retraining: await languageStatus(page, /retraining, 42/) });
  await shot(page, "retraining");
  await page.keyboard.press("Escape");
  fs.writeFileSync(path.join(folder, "report.html"), '<!doctype html><meta charset="utf-8"><h1>Retraining on tickets</h1>');
  fs.writeFileSync(path.join(folder, "result.json"), JSON.stringify({ tasks: { defects: { promoted: true, why: "found more" } } }));
  fs.rmSync(path.join(folder, "progress.json"));
  const toast = page.locator(".notifications-toasts .notification-list-item", { hasText: "retraining is done" });
  await toast.waitFor(LONG);
  tell({ done: await toast.innerText() });
  await toast.getByText("Show Report").click();
  tell({ report: await webviewText(page, /Retraining on tickets/) });
  await shot(page, "training-report");
}

async function walkthrough(page) {
  await command(page, "View: Toggle Primary Side Bar Visibility");
  await attempt(3, async () => {
    await command(page, "Welcome: Open Walkthrough");
    const row = page.locator(".quick-input-list .monaco-list-row", { hasText: "CodeHunch" });
    await row.first().click(SOON);
    // The page may still go back to its list of walkthroughs while it loads.
    await page.waitForTimeout(1500);
    await page.locator(".getting-started-step", { hasText: "Read a warning" }).click(SOON);
  });
  await page.waitForTimeout(1500);
  await shot(page, "walkthrough");
}

/** Code that does not do what is shown of it, and the edit after which it does. */
async function told(page, name) {
  await openAtEnd(page, `${name}.py`);
  const box = await (await page.waitForSelector(SQUIGGLE, LONG)).boundingBox();
  const underlined = await lettersIn(page, box);
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector(".monaco-hover:visible >> text=/CH120/", LONG);
  await page.waitForSelector(".monaco-hover:visible >> text=/^Quick Fix/", LONG);
  const hover = (await page.locator(".monaco-hover:visible").allInnerTexts()).join("\n");
  await shot(page, name);
  await page.keyboard.press("Escape");
  await applied(page, box, "Replace");
  await page.waitForSelector(SQUIGGLE, { state: "detached", ...LONG });
  tell({ [name]: { underlined, hover, after: (await lines(page)).join("\n") } });
}

const contradicted = (page) => told(page, "contradicted");
const tested = (page) => told(page, "tested");
const described = (page) => ghost(page, "described");
const commented = (page) => ghost(page, "commented");
const exemplified = (page) => ghost(page, "exemplified");
const SHOWN = { contradicted, tested };
const BODIES = { described, commented, exemplified };
const STEPS = { finding, rule, repair, status, scan, ...SHOWN, ...BODIES, picker, models, retraining, walkthrough };

await withPage(async (page, loading) => {
  await loading();
  for (const name of process.env.STEPS?.split(",") ?? Object.keys(STEPS)) {
    await STEPS[name](page);
  }
}, [["openFile", remote(`${WORKSPACE}/${FILE}`)]]);
