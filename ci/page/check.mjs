// Opens pages in a headless Chromium as a person would, and says what is wrong with them: an error on the console, a request
// to anywhere, what axe-core finds (WCAG 2.1 A and AA), a page that does not fit a phone. Light and dark, wide and narrow.
import chromium from "@sparticuz/chromium";
import axe from "axe-core";
import puppeteer from "puppeteer-core";
import { pathToFileURL } from "node:url";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const LOOKS = [
  { scheme: "light", width: 1280, height: 900 },
  { scheme: "dark", width: 1280, height: 900 },
  { scheme: "light", width: 360, height: 740 },
];

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(),
  args: [...chromium.args, "--no-sandbox"],
  headless: "shell",
});
let wrong = 0;
const say = (file, look, what) => {
  wrong += 1;
  console.log(`${file} (${look.scheme}, ${look.width} wide): ${what}`);
};
for (const file of process.argv.slice(2)) {
  for (const look of LOOKS) {
    const page = await browser.newPage();
    const own = pathToFileURL(file).href;
    page.on("request", (request) => {
      const url = request.url();
      if (url !== own && !url.startsWith("data:")) say(file, look, `asks for ${url}`);
    });
    page.on("console", (message) => message.type() === "error" && say(file, look, `console: ${message.text()}`));
    page.on("pageerror", (error) => say(file, look, `script: ${error.message}`));
    await page.setViewport({ width: look.width, height: look.height });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: look.scheme }]);
    await page.goto(own, { waitUntil: "load" });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (overflow > 0) say(file, look, `is ${overflow} px wider than the screen`);
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
    await page.evaluate(axe.source);
    const found = await page.evaluate((rules) => axe.run(document, { runOnly: { type: "tag", values: rules } }), RULES);
    for (const violation of found.violations) {
      say(file, look, `${violation.id}: ${violation.help}: ${violation.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")}`);
    }
    console.log(`${file} (${look.scheme}, ${look.width} wide): ${found.passes.length} rules of axe-core hold`);
    await page.close();
  }
}
await browser.close();
process.exit(wrong ? 1 : 0);
