import { exports } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { type NamedLimitManifest, type QueueManifest, randomBase36 } from "@acme/sdk/contract";
import type { BootstrapResponse } from "@acme/sdk/contract/api";
import type { z } from "zod";

export const HOST_TOKEN = "host-token-of-the-tests";
export const ADMIN_TOKEN = "admin-token-of-the-tests";
export const METRICS_TOKEN = "metrics-token-of-the-tests";
export const SIGNING = { SIGNING_KEY: "signing-key-of-the-tests" };

export interface Answer<T = Record<string, unknown>> {
  status: number;
  body: T;
  headers: Headers;
}

/** Makes one request to the Worker. A string body is sent unchanged, anything else as JSON. */
export async function call<T = Record<string, unknown>>(
  method: string,
  path: string,
  token: string | null,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  const response = await exports.default.fetch(`http://acme.test${path}`, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}`, "content-type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return {
    status: response.status,
    body: (isJson ? JSON.parse(text) : text) as T,
    headers: response.headers,
  };
}

/** The credential of a host of the tests: the same for one id. */
export const hostCredential = (hostId: string): string => `ahc_${hostId}.${"0123456789".repeat(4)}`;

const registered = new Set<string>();

/** A call of a container host, which registers first. */
export async function callAsHost<T = Record<string, unknown>>(
  action: "dequeue" | "report",
  body: { hostId: string; [field: string]: unknown },
): Promise<Answer<T>> {
  const { hostId } = body;
  const credential = hostCredential(hostId);
  if (!registered.has(hostId)) {
    const credentialHash = createHash("sha256").update(credential).digest("hex");
    const answer = await call("POST", "/engine/v1/hosts", HOST_TOKEN, { hostId, credentialHash });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    registered.add(hostId);
  }
  return call<T>("POST", `/engine/v1/worker-actions/${action}`, credential, body);
}

export interface Project {
  ref: string;
  prod: string;
  dev: string;
  accessToken: string;
  /** Key of the prod environment, which its runs' ids begin with. */
  prodKey: string;
  devKey: string;
}

type Bootstrapped = z.infer<typeof BootstrapResponse>;

/** Creates a project with keys. */
export async function newProject(): Promise<Project> {
  const unique = randomBase36(12);
  const project = {
    ref: `proj_${unique}`,
    prod: `tr_prod_${randomBase36(24)}`,
    dev: `tr_dev_${randomBase36(24)}`,
    accessToken: `tr_pat_${randomBase36(24)}`,
  };
  const created = await call<Bootstrapped>("POST", "/admin/v1/bootstrap", ADMIN_TOKEN, {
    organization: { slug: unique, name: unique },
    project: { ref: project.ref, name: unique },
    secretKeys: { prod: project.prod, dev: project.dev },
    accessToken: project.accessToken,
  });
  if (created.status !== 200) throw new Error(JSON.stringify(created.body));
  const keyOf = (wanted: string) =>
    created.body.environments.find(({ slug }) => slug === wanted)?.key as string;
  return { ...project, prodKey: keyOf("prod"), devKey: keyOf("dev") };
}

type Queues = z.input<typeof QueueManifest>[];

/** Deploys a bundle that says it has these tasks and queues. */
export async function deploy(project: Project, tasks: string[], queues: Queues = []): Promise<string> {
  const created = await deployTasks(
    project,
    tasks.map((id) => ({ id })),
    queues,
  );
  if (created.status !== 201) throw new Error(JSON.stringify(created.body));
  return created.body.version;
}

/** As `deploy`, with what the manifest says of each task; the answer may be a refusal. */
export async function deployTasks(
  project: Project,
  tasks: { id: string; [field: string]: unknown }[],
  queues: Queues = [],
  limits?: NamedLimitManifest[],
): Promise<Answer<{ version: string; code: string; error: string }>> {
  const bundle = `export const tasks = ${JSON.stringify(tasks)};`;
  const contentHash = createHash("sha256").update(bundle).digest("hex");
  const base = `/api/v1/projects/${project.ref}/prod`;
  await call("PUT", `${base}/bundles/${contentHash}`, project.accessToken, bundle);
  return call("POST", `${base}/deployments`, project.accessToken, {
    contentHash,
    manifest: { tasks: tasks.map((task) => ({ filePath: `${task.id}.ts`, ...task })), queues, limits },
  });
}
