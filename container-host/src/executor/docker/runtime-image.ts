import { createHash } from "node:crypto";
import { createReadStream, existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { HostError } from "../../errors.ts";
import type { HostLog } from "../../log.ts";
import { bundleRuntime } from "../runtime-file.ts";

const REPOSITORY = "acme-runtime";
/** Increase this number to rebuild the image although its files are the same. */
const RECIPE = 1;
/**
 * The number of images, of this and other versions of the runtime, that are kept. Each takes about 130 MB.
 */
const KEPT_IMAGES = 3;
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
/** Parts of the C library that are loaded at run time to resolve host names. */
const OPENED_LATER = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"];

/** The user that runs have inside a container. */
export const CONTAINER_USER = { uid: 65_532, gid: 65_532, name: "nonroot" } as const;
export const PATHS = {
  node: "/usr/local/bin/node",
  runtime: "/acme-runtime/main.mjs",
  /** Where the directory of the channel's socket is mounted. */
  channel: "/acme",
  bundle: "/acme-bundle/bundle.mjs",
} as const;

interface ImageFile {
  /** In the image. */
  name: string;
  /** On this machine, or the content itself. */
  from: string | Buffer;
  mode: number;
}

/**
 * Returns the name of an image that contains only Node, the libraries it needs, certificates and the runtime:
 * not even a shell. It is built on this machine from the running Node, so that no registry is needed, and
 * once for each content.
 */
export async function ensureRuntimeImage(docker: Docker, log: HostLog): Promise<string> {
  const files = await imageFiles();
  const name = `${REPOSITORY}:${(await contentHash(files)).slice(0, 24)}`;
  if (await exists(docker, name)) return name;
  const begun = performance.now();
  await importImage(docker, files, name);
  await removeOldImages(docker);
  log.info(`Built the runtime image ${name} in ${Math.round(performance.now() - begun)} ms`);
  return name;
}

async function exists(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getImage(name).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** Removes the oldest images. The Engine keeps one that a container uses; another host that needs one builds it again. */
async function removeOldImages(docker: Docker): Promise<void> {
  const images = await docker.listImages({ filters: { label: [REPOSITORY] } });
  const old = images.sort((a, b) => b.Created - a.Created).slice(KEPT_IMAGES);
  await Promise.all(
    old
      .flatMap((image) => image.RepoTags ?? [])
      .map((tag) =>
        docker
          .getImage(tag)
          .remove()
          .catch(() => {}),
      ),
  );
}

async function imageFiles(): Promise<ImageFile[]> {
  const { code } = await bundleRuntime();
  const { gid, name, uid } = CONTAINER_USER;
  const passwd = `root:x:0:0:root:/:/sbin/nologin\n${name}:x:${uid}:${gid}:${name}:/tmp:/sbin/nologin\n`;
  const group = `root:x:0:\n${name}:x:${gid}:\n`;
  const files: ImageFile[] = [
    { name: PATHS.node, from: realpathSync(process.execPath), mode: 0o755 },
    { name: PATHS.runtime, from: code, mode: 0o644 },
    { name: "/etc/passwd", from: Buffer.from(passwd), mode: 0o644 },
    { name: "/etc/group", from: Buffer.from(group), mode: 0o644 },
    { name: "/etc/nsswitch.conf", from: Buffer.from("hosts: files dns\n"), mode: 0o644 },
  ];
  for (const path of sharedLibraries()) files.push({ name: path, from: realpathSync(path), mode: 0o755 });
  if (existsSync(CERTIFICATES))
    files.push({ name: CERTIFICATES, from: realpathSync(CERTIFICATES), mode: 0o644 });
  return files;
}

/** Returns the shared libraries that this Node has loaded, at the paths where its loader looks for them. */
function sharedLibraries(): string[] {
  const report = process.report.getReport() as unknown as { sharedObjects: string[] };
  const paths = report.sharedObjects.filter((path) => path.startsWith("/") && !path.endsWith(".node"));
  const libc = paths.find((path) => /\/libc\.so\.6$/.test(path));
  if (!libc) return paths;
  const later = OPENED_LATER.map((name) => join(dirname(libc), name));
  return [...new Set([...paths, ...later.filter((path) => existsSync(path))])];
}

async function contentHash(files: ImageFile[]): Promise<string> {
  const hash = createHash("sha256").update(`${RECIPE}\n`);
  for (const { from, mode, name } of files) {
    hash.update(`${name} ${mode}\n`);
    if (typeof from === "string") for await (const chunk of createReadStream(from)) hash.update(chunk);
    else hash.update(from);
  }
  return hash.digest("hex");
}

async function importImage(docker: Docker, files: ImageFile[], name: string): Promise<void> {
  const tar = pack();
  const [repo, tag] = name.split(":");
  const [stream] = await Promise.all([
    docker.importImage(tar as unknown as NodeJS.ReadableStream, {
      repo,
      tag,
      changes: [`LABEL ${REPOSITORY}=${tag}`],
    }),
    writeFiles(tar, files),
  ]);
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(stream, (error, events: { error?: string }[]) => {
      const failed = error?.message ?? events?.find((event) => event.error)?.error;
      if (failed) reject(new HostError(`The runtime image could not be built: ${failed}`));
      else resolve();
    });
  });
}

/** Lists directories before the files in them. Mount points are created too. */
async function writeFiles(tar: ReturnType<typeof pack>, files: ImageFile[]): Promise<void> {
  const directories = new Map<string, number>([
    ["/tmp", 0o1777],
    ["/proc", 0o555],
    ["/sys", 0o555],
    ["/dev", 0o755],
    [PATHS.channel, 0o755],
    [dirname(PATHS.bundle), 0o755],
  ]);
  for (const { name } of files) {
    for (let parent = dirname(name); parent !== "/"; parent = dirname(parent))
      if (!directories.has(parent)) directories.set(parent, 0o755);
  }
  for (const path of [...directories.keys()].sort()) {
    await new Promise<void>((resolve, reject) => {
      tar.entry({ name: path.slice(1), type: "directory", mode: directories.get(path) }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
  // The mount point of the bundle: a file can only be mounted over a file.
  const all = [...files, { name: PATHS.bundle, from: Buffer.alloc(0), mode: 0o644 }];
  for (const { from, mode, name } of all) {
    const size = typeof from === "string" ? statSync(from).size : from.length;
    const header = { name: name.slice(1), mode, size, mtime: new Date(0) };
    if (typeof from === "string") await pipeline(createReadStream(from), tar.entry(header));
    else tar.entry(header, from);
  }
  tar.finalize();
}
