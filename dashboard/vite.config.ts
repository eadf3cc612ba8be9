import adapter from "@sveltejs/adapter-static";
import { sveltekit } from "@sveltejs/kit/vite";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

/** `npm run dev` proxies the API to a platform that runs on this machine (`npm start`). */
const API = process.env.ACME_API_URL ?? "http://127.0.0.1:8787";

export default defineConfig({
  plugins: [
    tailwindcss(),
    sveltekit({
      // One page for every address; `build.mjs` moves the result to `build/`.
      adapter: adapter({ pages: ".svelte-kit/out", assets: ".svelte-kit/out", fallback: "index.html" }),
      compilerOptions: { runes: true },
      version: { pollInterval: 0 },
    }),
  ],
  build: { target: "es2023", reportCompressedSize: false, assetsInlineLimit: 0 },
  server: { proxy: { "/api": { target: API, ws: true }, "/openapi.json": API } },
});
