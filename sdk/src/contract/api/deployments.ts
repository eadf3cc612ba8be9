import { z } from "zod";
import { WorkerManifest } from "../manifest.ts";
import { QueryText, wholeNumber } from "./queries.ts";

export const ENVIRONMENT_SLUGS = ["dev", "staging", "preview", "prod"] as const;

export const ContentHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "Give the SHA-256 of the bundle, 64 hexadecimal digits");

export const CreateDeploymentBody = z.object({
  contentHash: ContentHash,
  manifest: WorkerManifest,
  promote: z.boolean().default(true),
});

/** What `acme dev` registers: the tasks of the developer's machine. The bundle stays there. */
export const RegisterDevelopmentBody = z.object({
  contentHash: ContentHash,
  bundleBytes: z.number().int().min(0),
  manifest: WorkerManifest,
});

/** What `acme dev` opens its tunnel with: good for a minute. */
export const TunnelTicket = z.object({
  token: z.string(),
  environment: z.object({ key: z.string(), id: z.string(), slug: z.string() }),
  project: z.object({ ref: z.string(), name: z.string() }),
});
export type TunnelTicket = z.infer<typeof TunnelTicket>;

export const RegisteredDevelopment = z.object({
  deploymentId: z.string(),
  version: z.string(),
});
export type RegisteredDevelopment = z.infer<typeof RegisteredDevelopment>;

export const DeploymentBody = z.object({
  id: z.string(),
  version: z.string(),
  contentHash: z.string(),
  tasks: z.array(z.string()),
  createdAt: z.iso.datetime(),
  /** It is the current one: new runs start on it. */
  promoted: z.boolean(),
  /** When it was made the current one last. */
  promotedAt: z.iso.datetime().optional(),
});
export type DeploymentBody = z.infer<typeof DeploymentBody>;

/** With what was declared in its code. */
export const RetrieveDeploymentResponse = DeploymentBody.extend({ manifest: WorkerManifest });
export type RetrieveDeploymentResponse = z.infer<typeof RetrieveDeploymentResponse>;

const DEPLOYMENT_STATUSES = [
  "PENDING",
  "BUILDING",
  "DEPLOYING",
  "DEPLOYED",
  "FAILED",
  "CANCELED",
  "TIMED_OUT",
] as const;

/** A deployment as Trigger.dev's published client reads it. Bundles are built before they are sent, so all are DEPLOYED. */
export const DeploymentListItem = z.object({
  id: z.string(),
  createdAt: z.iso.datetime(),
  shortCode: z.string(),
  version: z.string(),
  runtime: z.string().nullable(),
  /** Always null: the host's Node.js runs it. */
  runtimeVersion: z.null(),
  status: z.enum(DEPLOYMENT_STATUSES),
  deployedAt: z.iso.datetime(),
});
export type DeploymentListItem = z.infer<typeof DeploymentListItem>;

/** The query of `GET /api/v1/deployments`. */
export const PageDeploymentsQuery = z.object({
  status: z.enum(DEPLOYMENT_STATUSES).optional(),
  "page[size]": wholeNumber("Give a number from 1 to 100").pipe(z.number().min(1).max(100)).optional(),
  /** `next` of a page: the id of its last deployment. */
  "page[after]": QueryText.optional(),
});

export const PageDeploymentsResponse = z.object({
  data: z.array(DeploymentListItem),
  pagination: z.object({ next: z.string().optional() }),
});

export const UploadedBundle = z.object({ contentHash: z.string(), size: z.number() });

const Name = z.string().min(1).max(128);

export const BootstrapBody = z.object({
  organization: z.object({ slug: Name, name: Name }),
  project: z.object({
    ref: z
      .string()
      .regex(/^proj_[0-9a-z]{4,60}$/, "A project ref is proj_ and 4 to 60 characters of a-z, 0-9"),
    name: Name,
  }),
  /** Secret keys by environment slug, made by the caller: at least 24 characters. */
  secretKeys: z.partialRecord(z.enum(ENVIRONMENT_SLUGS), z.string().min(24).max(200)),
  accessToken: z.string().min(24).max(200),
});
