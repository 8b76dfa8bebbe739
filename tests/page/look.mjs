// Opens pages in a real browser and says what it sees: overflow, contrast, what was asked for, what was complained of; and
// draws Mermaid diagrams with Mermaid itself. Reads a job as JSON from the file named, writes findings as JSON to standard output.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { chromium } = createRequire(import.meta.url)(process.env.TESTBED_PLAYWRIGHT);
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const findings = [];
for (const page of job.pages ?? []) for (const scheme of page.schemes) findings.push(await look(page, scheme));
const diagrams = [];
for (const mermaid of job.mermaid ?? []) diagrams.push(...await draw(mermaid, job.diagrams));
await browser.close();
process.stdout.write(JSON.stringify({ findings, diagrams }));

async function look({ name, file, shots, widths }, scheme) {
  const context = await browser.newContext({ colorScheme: scheme });
  const page = await context.newPage();
  const found = { name, scheme, complaints: [], requests: [], overflow: [], contrast: [], structure: null };
  page.on('console', (message) => found.complaints.push(message.text()));
  page.on('pageerror', (error) => found.complaints.push(String(error)));
  page.on('dialog', (dialog) => { found.complaints.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  const url = pathToFileURL(file).href;
  page.on('request', (request) => { if (request.url() !== url) found.requests.push(request.url()); });
  await page.goto(url);
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 });
    await page.evaluate(() => document.querySelectorAll('details').forEach((part) => { part.open = true; }));
    const wide = await page.evaluate(overflowing);
    if (wide.length > 0) found.overflow.push({ width, wide });
    if (shots) await page.screenshot({ path: `${shots}/${name}-${scheme}-${width}.png`, fullPage: true });
  }
  found.contrast = await page.evaluate(poorContrast);
  found.structure = await page.evaluate(structure);
  await context.close();
  return found;
}

// What is wider than the window, but for what scrolls by itself.
function overflowing() {
  const root = document.documentElement;
  const found = root.scrollWidth > root.clientWidth ? [`the page: ${root.scrollWidth} of ${root.clientWidth}`] : [];
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest('pre, .unseen, svg')) continue;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && (box.right > root.clientWidth + 0.5 || box.left < -0.5)) found.push(`${element.tagName}.${element.className} ${box.left}..${box.right}`);
  }
  return found.slice(0, 5);
}

// Text whose colour is too near to what is behind it (WCAG 2, 4.5 to 1).
function poorContrast() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const channel = (value) => { const v = value / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
      if (color[3] > 0) throw new Error('a ground that is half transparent');
    }
    return [255, 255, 255];
  };
  const found = new Map();
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.textContent.trim() === '' || element.closest('.unseen')) continue;
    seen += 1;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.set(`${element.tagName}.${element.className}`, ratio.toFixed(2));
  }
  if (seen < 5) found.set('no text at all', 0);
  return [...found.entries()];
}

function structure() {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const levels = all('h1, h2, h3, h4').map((heading) => Number(heading.tagName[1]));
  return {
    lang: document.documentElement.lang,
    title: document.title,
    headings: levels,
    jumps: levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1).length,
    tables: all('table').length,
    tablesWithoutHeads: all('table').filter((table) => !table.caption || !table.querySelector('th[scope=col]')).length,
    strangers: all('script, iframe, object, embed, form, input, link, base, img, video, audio, [onclick], [onload], [onerror], [onmouseover], [style]').map((e) => e.outerHTML.slice(0, 80)),
    links: all('a, [href], [src]').map((element) => element.getAttribute('href') ?? element.getAttribute('src')),
    tags: [...new Set(all('*').map((element) => element.tagName.toLowerCase()))].sort(),
    text: document.body.innerText.length,
  };
}

// Each diagram, drawn as forges draw it.
async function draw(script, texts) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.setContent('<!doctype html><div id="here"></div>');
  await page.addScriptTag({ path: script });
  await page.evaluate(() => mermaid.initialize({ startOnLoad: false, securityLevel: 'strict' }));
  const drawn = [];
  for (const [name, text] of Object.entries(texts ?? {})) {
    drawn.push(await page.evaluate(async ([name, text, n]) => {
      try {
        const { svg, diagramType } = await mermaid.render(`d${n}`, text);
        const holder = document.getElementById('here');
        holder.innerHTML = svg;
        const all = (selector) => [...holder.querySelectorAll(selector)];
        return {
          name,
          type: diagramType,
          bars: all('rect.task').length,
          sections: new Set(all('text.sectionTitle').map((title) => title.textContent)).size,
          labels: all('text[class*=taskText]').map((label) => label.textContent),
          strangers: all('script, iframe, img, a, foreignObject, image').map((e) => e.outerHTML.slice(0, 80)),
        };
      } catch (error) {
        return { name, error: String(error).slice(0, 400) };
      }
    }, [name, text, drawn.length]));
    if (job.shots) await page.screenshot({ path: `${job.shots}/diagram-${name}.png` });
  }
  await page.close();
  return drawn.map((d) => ({ ...d, script, complaints }));
}
