// Bundles the front end into ../static: hashed files, and manifest.json that says which is which.
import { readFileSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ICONS } from "./icons.js";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "static");
const outline = join(here, "..", "..", "..", "node_modules", "@tabler", "icons", "icons", "outline");

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const { metafile } = await build({
  entryPoints: ["theme.js", "main.js", "calendar.js", "chart.js", "city_chart.js"].map((name) => join(here, name)),
  outdir: target,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
});

const manifest = {};
for (const [path, output] of Object.entries(metafile.outputs)) {
  if (!output.entryPoint) continue;
  const name = output.entryPoint.split("/").at(-1).replace(/\.js$/, "");
  manifest[`${name}.js`] = relative(target, join(process.cwd(), path));
  if (output.cssBundle) manifest[`${name}.css`] = relative(target, join(process.cwd(), output.cssBundle));
}

const symbols = ICONS.map((name) => {
  const drawing = readFileSync(join(outline, `${name}.svg`), "utf8");
  const paths = drawing.replace(/^[\s\S]*?<svg[^>]*>/, "").replace("</svg>", "").replace(/\s*\n\s*/g, "");
  return `<symbol id="${name}" viewBox="0 0 24 24">${paths}</symbol>`;
});
const sprite = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
for (const [name, drawing] of Object.entries({ icons: sprite, mark: readFileSync(join(here, "mark.svg"), "utf8") })) {
  const digest = createHash("sha256").update(drawing).digest("hex").slice(0, 8).toUpperCase();
  manifest[`${name}.svg`] = `${name}-${digest}.svg`;
  writeFileSync(join(target, manifest[`${name}.svg`]), drawing);
}
writeFileSync(join(target, "manifest.json"), JSON.stringify(manifest, null, 1));
