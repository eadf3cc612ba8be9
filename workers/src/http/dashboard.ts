import type { Context } from "hono";
import type { App } from "../bindings.ts";
// The dashboard's build writes the same headers into Workers Assets' `_headers`. No inline script or style element is
// allowed; `style-src-attr` covers style attributes, which execute nothing.
import SECURITY_HEADERS from "./security-headers.json" with { type: "json" };

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  json: "application/json",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  woff2: "font/woff2",
};

/**
 * Serves the dashboard's files from Workers Assets, or on one machine from the disk, where every page is the
 * app's single page.
 */
export async function serveDashboard(c: Context<App>): Promise<Response> {
  if (c.env.ASSETS) return c.env.ASSETS.fetch(c.req.raw);
  const { pathname } = new URL(c.req.url);
  const disk = c.env.DASHBOARD;
  if (disk) {
    const wanted = pathname === "/" ? "/index.html" : pathname;
    const file = await disk.fetch(`http://dashboard${wanted}`);
    if (file.ok && /\.[a-z0-9]+$/.test(wanted)) return withType(file, wanted);
    await file.body?.cancel();
    const page = await disk.fetch("http://dashboard/index.html");
    if (page.ok) return withType(page, "/index.html");
    await page.body?.cancel();
  }
  return c.text(
    "The dashboard is not built here. The API is at /api, its description at /openapi.json.",
    404,
  );
}

function withType(file: Response, path: string): Response {
  const extension = path.slice(path.lastIndexOf(".") + 1);
  const headers = {
    "content-type": TYPES[extension] ?? "application/octet-stream",
    ...SECURITY_HEADERS,
    // Files under /_app/immutable carry a hash of their content in their names.
    "cache-control": path.includes("/immutable/") ? "public, max-age=31536000, immutable" : "no-cache",
  };
  return new Response(file.body, { headers });
}
