// One script and one style sheet, which go into the Python package, with the licences of all that is in them.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Writes `LICENSES.txt`: every package of which a module is in the script. */
const licences = {
  name: "licences",
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((chunk) => Object.keys(chunk.modules ?? {}));
    const names = modules.map((id) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1]).filter(Boolean);
    const texts = [...new Set(names)].sort().map((name) => {
      const directory = `node_modules/${name}`;
      const about = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
      const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file ? readFileSync(`${directory}/${file}`, "utf8").trim() : `Licence: ${about.license}`;
      return `${name} ${about.version} (${about.license})\n\n${text}\n`;
    });
    this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: texts.join(`\n${"-".repeat(80)}\n\n`) });
  },
};

/** Writes `sources.sha256`, by which a test knows that the script was built from what stands here. */
const sources = {
  name: "sources",
  generateBundle() {
    const inner = readdirSync("src").sort().map((name) => `src/${name}`);
    const hash = createHash("sha256");
    for (const name of [...inner, "package-lock.json", "vite.config.js"]) hash.update(readFileSync(name));
    this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${hash.digest("hex")}\n` });
  },
};

export default defineConfig({
  plugins: [react(), licences, sources],
  define: { "process.env.NODE_ENV": '"production"' },
  build: {
    outDir: "../../src/trivet/forms",
    emptyOutDir: true,
    copyPublicDir: false,
    target: "es2022",
    lib: {
      entry: "src/main.jsx",
      name: "TrivetForms",
      formats: ["iife"],
      fileName: () => "forms.js",
      cssFileName: "forms",
    },
  },
});
