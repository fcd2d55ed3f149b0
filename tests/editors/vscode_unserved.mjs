// What a person sees where no server is installed: an offer, and a status with a button.
import { languageStatus, remote, shot, tell, withPage, WORKSPACE } from "./browser.mjs";

const LONG = { timeout: 300000 };

await withPage(async (page, loading) => {
  await loading();
  const toast = page.locator(".notifications-toasts .notification-list-item", { hasText: "server was not found" });
  await toast.waitFor(LONG);
  tell({ offer: await toast.innerText() });
  tell({ status: await languageStatus(page, /no server/) });
  await shot(page, "no-server");
  await page.locator(".hover-language-status a", { hasText: "What to do" }).click();
  await page.waitForSelector(".quick-input-widget:visible .monaco-list-row", LONG);
  tell({ choices: await page.locator(".quick-input-list .monaco-list-row").allInnerTexts() });
  await shot(page, "what-to-do");
}, [["openFile", remote(`${WORKSPACE}/${process.env.FILE}`)]]);
