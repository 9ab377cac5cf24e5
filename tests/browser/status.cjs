// Looks at the page of wsgi-status as a person does: status.cjs URL HOSTILE [FOLDER FOR SCREENSHOTS].
// The server has a group `app` under load with a blocked request for HOSTILE, and a group `stuck`
// in which a thread holds the interpreter lock. Ends with 0 when everything is as it should be.
"use strict";

const assert = require("node:assert/strict");
const { createRequire } = require("node:module");
const path = require("node:path");

const modules = path.join(process.env.WSGI_TEST_NODE, "node_modules") + path.sep;
const { chromium } = createRequire(modules)("playwright-core");
const [url, hostile, folder] = process.argv.slice(2);
const origin = new URL(url).origin;

const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update",
  "--disable-default-apps", "--disable-sync", "--no-first-run"];

async function picture(page, name, fullPage = true) {
  if (folder) await page.screenshot({ path: path.join(folder, name), fullPage });
}

// The chart of a group with this heading: the drawing, and what is written beside it.
function chart(page, group, heading) {
  return page.evaluate(([group, heading]) => {
    const section = [...document.querySelectorAll("section.group")]
      .find((one) => one.querySelector("h2").textContent === group);
    const found = [...section.querySelectorAll(".chart")]
      .find((one) => one.querySelector("h3").textContent === heading);
    const drawing = found.querySelector(".stroke");
    return { drawing: drawing ? drawing.getAttribute("d") : found.querySelectorAll("rect").length,
      text: found.querySelector("span").textContent };
  }, [group, heading]);
}

async function opens(page, asked) {
  await page.goto(url);
  await page.waitForSelector("section.group");
  assert.equal(await page.title(), "WSGI status");
  assert.deepEqual(await page.locator("h2:visible").allTextContents(), ["app", "stuck"]);
  assert.match(await page.locator("#state").textContent(), /2 groups, live/);
  assert.ok(asked.every((one) => one.startsWith(origin) || one.startsWith("data:")), String(asked));
}

async function chartsMove(page) {
  const headings = ["Requests per second", "Busy threads", "Queue length", "GIL wait, mean", "Memory"];
  const before = await Promise.all(headings.map((heading) => chart(page, "app", heading)));
  await page.waitForFunction(() => {
    const section = document.querySelector("section.group");
    const rate = section.querySelector(".chart span").textContent;
    return parseFloat(rate.replaceAll(",", "")) > 5;
  }, null, { timeout: 20000 });
  const after = await Promise.all(headings.map((heading) => chart(page, "app", heading)));
  for (const [place, heading] of headings.entries()) {
    assert.notEqual(after[place].drawing, before[place].drawing, heading + " does not move");
  }
  for (const heading of ["Queue time", "GIL wait", "Application time", "Send time"]) {
    const { drawing, text } = await chart(page, "app", heading);
    assert.ok(drawing > 10 && /^p50 [\d.]+ (µs|ms|s), p99 [\d.]+ (µs|ms|s)$/.test(text), heading + text);
  }
}

// What a client has sent is text.
async function nothingIsMarkup(page) {
  const row = page.locator("td.url", { hasText: "/blocked" }).first();
  assert.equal(await row.textContent(), "GET " + hostile);
  assert.equal(await page.locator("main script, main img, main iframe").count(), 0);
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
}

// With the keyboard only: to the button of the request, into the dialog, and back.
async function stackByKeyboard(page) {
  const focus = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") || "");
  const wanted = "Python stack of GET " + hostile;
  await page.evaluate(() => document.activeElement.blur());
  for (let tabs = 0; tabs < 60 && (await focus()) !== wanted; tabs++) await page.keyboard.press("Tab");
  assert.equal(await focus(), wanted, "the button cannot be reached");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none", "the focus cannot be seen");
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  await page.waitForFunction(() => document.getElementById("stack-lines").textContent.includes("in blocked"));
  assert.ok((await page.locator("#stack-subject").textContent()).startsWith("GET " + hostile));
  await page.evaluate(() => {
    const lines = document.getElementById("stack-lines");
    // The folder of the test is of no interest in a picture.
    lines.textContent = lines.textContent.replace(/"[^"]*(?=\/apps\/)/g, '"/srv');
  });
  await picture(page, "status-stack.png", false);
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { state: "detached" });
  assert.equal(await focus(), wanted, "the focus does not come back");
}

async function stuckIsTold(page) {
  const section = page.locator("section.group", { has: page.locator("h2", { hasText: "stuck" }) });
  await section.locator("button", { hasText: "Stack" }).first().click();
  await page.waitForFunction(() => document.getElementById("stack-lines").textContent.includes("interpreter lock"));
  await page.locator("#stack-close").click();
}

// Reads out of nothing but colours whether text can be read (WCAG 2: 4.5 to 1).
async function contrast(page) {
  return page.evaluate(() => {
    const light = (text) => {
      const parts = text.match(/[\d.]+/g).slice(0, 3).map((one) => {
        const part = Number(one) / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const under = (element) => {
      for (let one = element; one; one = one.parentElement) {
        const colour = getComputedStyle(one).backgroundColor;
        if (!/, 0\)$/.test(colour)) return colour;
      }
      return "rgb(255, 255, 255)";
    };
    const texts = [...document.querySelectorAll("h1, h2, h3, th, td, span, b, p, a, button, caption")];
    return texts.filter((one) => one.textContent.trim() && one.offsetParent).map((one) => {
      const [ink, paper] = [light(getComputedStyle(one).color), light(under(one))];
      const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      return { ratio, text: one.textContent.slice(0, 40) };
    }).sort((one, other) => one.ratio - other.ratio)[0];
  });
}

async function readable(page) {
  // Charts that are worth a picture.
  if (folder) await page.waitForTimeout(15000);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const worst = await contrast(page);
    assert.ok(worst.ratio >= 4.5, colorScheme + ": " + JSON.stringify(worst));
    await picture(page, colorScheme === "light" ? "status.png" : "status-dark.png");
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, "a phone must be scrolled sideways: " + width);
  const small = await page.evaluate(() => [...document.querySelectorAll("button")]
    .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 24).length);
  assert.equal(small, 0, "buttons too small for a finger");
  await picture(page, "status-phone.png");
  await page.setViewportSize({ width: 1200, height: 900 });
}

async function pauses(page) {
  await page.locator("#pause").click();
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  const before = await chart(page, "app", "Busy threads");
  await page.waitForTimeout(2500);
  assert.deepEqual(await chart(page, "app", "Busy threads"), before);
  await page.locator("#pause").click();
}

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: FLAGS });
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
    const [complaints, asked] = [[], []];
    page.on("console", (message) => complaints.push(message.type() + ": " + message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("requestfailed", (request) => complaints.push("failed: " + request.url()));
    page.on("response", (response) => {
      if (response.status() >= 400) complaints.push(response.status() + ": " + response.url());
    });
    page.on("request", (request) => asked.push(request.url()));
    for (const [name, step] of Object.entries({ opens, chartsMove, nothingIsMarkup, stackByKeyboard,
      stuckIsTold, readable, pauses })) {
      await step(page, asked);
      console.log("ok " + name);
    }
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
