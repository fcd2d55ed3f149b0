// Runs $TESTS inside the extension host of the opened workspace and reports what it logs.
import { remote, tell, withPage, OUT, shot } from "./browser.mjs";

const { EXTENSION, TESTS } = process.env;
const payload = [["extensionDevelopmentPath", remote(EXTENSION)], ["extensionTestsPath", remote(TESTS)], ["skipWelcome", "true"]];

await withPage(async (page, loading) => {
  let ended;
  const end = new Promise((resolve) => { ended = resolve; });
  await page.exposeFunction("codeAutomationLog", (kind, words) => {
    for (const word of words ?? []) {
      if (typeof word === "string" && word.startsWith("REPORT ")) {
        console.log(word.slice("REPORT ".length));
      } else if (kind === "error" && !String(word).includes("bindings file")) {
        console.error(String(word).slice(0, 500));
      }
    }
  });
  await page.exposeFunction("codeAutomationExit", (code) => { ended(code); });
  await loading();
  const code = await end;
  if (code !== 0) {
    await shot(page, "host-failure");
  }
  tell({ out: OUT });
  return code;
}, payload);
