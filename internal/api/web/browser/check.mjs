// node check.mjs BASE_URL [CHROMIUM]: opens every page in both colour schemes, wide and narrow, and fails on what axe finds, on
// errors in the console, on requests to elsewhere, and when the page does not renew itself or loses what a person had open.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const base = process.argv[2];
const executablePath = process.argv[3] || "/usr/bin/chromium";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let faults = 0;
const fault = (...text) => { faults++; console.error(...text); };

const firing = (await (await fetch(`${base}/api/v1/alerts?status=firing&limit=1`)).json()).alerts[0];
const paths = ["/", "/?by=tenant,provider", "/rates", "/rates?verdict=all&window=1h", `/subject?subject=${encodeURIComponent(firing.subject_key)}`,
  "/subject?subject=all", "/alerts", "/alerts?status=resolved", `/alerts/${firing.id}`, "/recipients", "/status", "/method", "/nothing"];

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true }); // for axe
    for (const path of paths) {
      const page = await context.newPage();
      page.on("console", (m) => { if (m.type() === "error" && !m.text().includes("404")) fault(path, m.text()); });
      page.on("pageerror", (e) => fault(path, e));
      page.on("request", (r) => { if (!r.url().startsWith(base)) fault(path, "asks for", r.url()); });
      await page.goto(base + path, { waitUntil: "load" });
      await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run());
      for (const v of found.violations) fault(colorScheme, width, path, v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) fault(colorScheme, width, path, `is ${wide} pixels wider than the screen`);
      await page.close();
    }
    await context.close();
  }
}

// As people get it, with our own policy in force: the page renews itself, and what was opened stays open.
const page = await browser.newPage();
page.on("console", (m) => { if (m.type() === "error") fault("renewing", m.text()); });
await page.goto(base + "/", { waitUntil: "load" });
await page.locator("details summary").first().click();
await page.locator("details summary").first().focus();
await page.evaluate(() => { document.getElementById("worst").dataset.old = "yes"; document.getElementById("incidents").dataset.old = "yes"; });
await page.waitForFunction(() => !document.getElementById("incidents").dataset.old, null, { timeout: 20000 }).catch(() => fault("the page does not renew itself"));
if (!(await page.evaluate(() => document.querySelector("details").open))) fault("renewing closes what was open");
if (!(await page.evaluate(() => document.activeElement && document.activeElement.tagName === "SUMMARY"))) fault("renewing loses the focus");

// Without a script everything is there.
const plain = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
await plain.goto(base + "/", { waitUntil: "load" });
if (!(await plain.textContent("main")).includes(firing.rate)) fault("without a script there is nothing to see");

await browser.close();
console.log(faults ? `${faults} faults` : "no faults");
process.exit(faults ? 1 : 0);
