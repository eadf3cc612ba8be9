import "./trust-certificate.ts";

/** The plugin loads Miniflare, which has to find the certificate: a static import would come first in a bundled configuration. */
export const { cloudflareTest, readD1Migrations } = await import("@cloudflare/vitest-plugin");
