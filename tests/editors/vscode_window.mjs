// What a person sees in the window: the squiggle, the hover, a body as ghost text, the results of a scan.
import { command, remote, shot, tell, withPage, WORKSPACE } from "./browser.mjs";

const { FILE } = process.env;
const GHOST = ".monaco-editor .ghost-text, .monaco-editor .ghost-text-decoration, .monaco-editor .suggestion-preview";
const lines = async (page) => (await page.locator(".monaco-editor .view-line").allInnerTexts()).map((line) => line.replaceAll("\u00a0", " "));

await withPage(async (page, loading) => {
  await loading();
  const squiggle = await page.waitForSelector(".monaco-editor .squiggly-warning, .monaco-editor .squiggly-info", { timeout: 90000 });
  const box = await squiggle.boundingBox();
  // What the squiggle covers, by the letters of the line under it.
  const underlined = await page.evaluate(({ left, right, top, bottom }) => {
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
  tell({ underlined });

  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector(".monaco-hover:visible >> text=/CH1\\d\\d/", { timeout: 20000 });
  tell({ hover: (await page.locator(".monaco-hover:visible").allInnerTexts()).join("\n") });
  await shot(page, "finding");
  await page.keyboard.press("Escape");

  await command(page, "CodeHunch: Scan Workspace");
  // What the notifications say from the first sign of progress to the summary.
  const said = new Set();
  for (const end = Date.now() + 30000; Date.now() < end && ![...said].some((text) => text.includes("in the workspace")); ) {
    for (const text of await page.locator(".notifications-toasts .notification-list-item").allInnerTexts()) {
      if (!said.has(text)) {
        said.add(text);
        await shot(page, text.includes("scanning") ? "scanning" : "scanned");
      }
    }
    await page.waitForTimeout(20);
  }
  tell({ scanning: [...said] });
  await page.waitForSelector(".pane-body .monaco-list-row >> text=/CH1\\d\\d/", { timeout: 60000 });
  tell({ scan: await page.locator(".pane-body .monaco-list-row").allInnerTexts() });
  await shot(page, "scan");

  await page.keyboard.press("Control+P");
  await page.waitForSelector(".quick-input-widget:visible input");
  await page.keyboard.type("described.py");
  await page.waitForSelector(".quick-input-list .monaco-list-row >> text=described.py");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".tab.active:has-text('described.py')");
  await page.locator(".monaco-editor .view-line").last().click();
  await page.keyboard.press("Control+End");
  // As a person goes on after a docstring: nothing asks for the body by name.
  await page.keyboard.press("Enter");
  const before = await lines(page);
  await page.waitForSelector(GHOST, { timeout: 60000 });
  tell({ ghost: (await page.locator(GHOST).allInnerTexts()).join("") });
  await shot(page, "ghost");
  await page.keyboard.press("Tab");
  await page.waitForTimeout(500);
  const after = await lines(page);
  tell({ accepted: after.join("\n") !== before.join("\n") && after.join("\n") });
  await shot(page, "accepted");
  await page.waitForTimeout(2500);
  tell({ again: (await page.locator(GHOST).allInnerTexts()).join("") });
}, [["openFile", remote(`${WORKSPACE}/${FILE}`)]]);
