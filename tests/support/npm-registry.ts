import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";

export interface NpmRegistry {
  url: string;
  stop(): Promise<void>;
}

/**
 * Makes every package manager use this registry for the packages of the scope, and the usual one for all
 * others.
 */
export const npmrcOf = ({ url }: NpmRegistry): string => `@acme:registry=${url}/\n`;

/** Serves tarballs to package managers, each as the only version of its package. `packages`: their folders, with package.json. */
export async function startNpmRegistry(
  packages: { folder: string; tarball: string }[],
): Promise<NpmRegistry> {
  const known = new Map(
    packages.map(({ folder, tarball }) => {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        name: string;
        version: string;
      };
      return [manifest.name, { manifest, bytes: readFileSync(tarball), file: basename(tarball) }] as const;
    }),
  );
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", url()).pathname).slice(1);
    for (const [name, { bytes, file, manifest }] of known) {
      if (path === `${name}/-/${file}`) {
        response.end(bytes);
        return;
      }
      if (path !== name) continue;
      const dist = {
        tarball: `${url()}/${name}/-/${file}`,
        integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
        shasum: createHash("sha1").update(bytes).digest("hex"),
      };
      const { version } = manifest;
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          name,
          "dist-tags": { latest: version },
          versions: { [version]: { ...manifest, dist } },
        }),
      );
      return;
    }
    response.writeHead(404, { "content-type": "application/json" }).end('{"error":"not found"}');
  });
  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: url(),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
