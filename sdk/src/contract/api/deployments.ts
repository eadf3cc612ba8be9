import { z } from "zod";
import { cutString } from "../cut-string.ts";
import { LogBatch } from "../host-protocol.ts";
import { LIMITS } from "../limits.ts";
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

/** What `acme dev` registers: the tasks on the developer's machine. The bundle stays there. */
export const RegisterDevelopmentBody = z.object({
  contentHash: ContentHash,
  bundleBytes: z.number().int().min(0),
  manifest: WorkerManifest,
});

/** The ticket with which `acme dev` opens its tunnel. It is valid for a minute. */
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

/**
 * - `BUILDING`: its image is being built. - `DEPLOYED`: runs can execute on it. - `FAILED`: its build failed.
 * - `TIMED_OUT`: its build did not finish in time.
 */
export const DEPLOYMENT_STATES = ["BUILDING", "DEPLOYED", "FAILED", "TIMED_OUT"] as const;
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];

export const ImageDigest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, "Give the image's digest: sha256: and 64 hexadecimal digits");

/** A repository of a container registry, without tag and digest: `registry.example.com/team/proj_…`. */
export const ImageRepository = z
  .string()
  .max(400)
  .regex(
    /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)+$/,
    "Give a repository with its registry's host, without a tag: registry.example.com/team/proj_…",
  );

/** The body of `POST /api/v1/deployments`: creates a deployment whose image is built afterwards. */
export const InitializeDeploymentBody = z.object({
  /** SHA-256 of the bundle, which has been uploaded already. */
  contentHash: ContentHash,
  manifest: WorkerManifest,
  /** Where the image is pushed to. Absent: it stays on the Docker Engine that builds it. */
  imageRepository: ImageRepository.optional(),
});

/** The body of `POST /api/v3/deployments/:id/finalize`. */
export const FinalizeDeploymentBody = z.object({
  /** Digest of the pushed image's manifest; for an image that stays on the Engine, its id. */
  imageDigest: ImageDigest,
  /** SHA-256 of the bundle: the same as when the deployment was created. */
  contentHash: ContentHash,
  /** True: the current deployment remains the current one. */
  skipPromotion: z.boolean().default(false),
});

/** The body of `POST /api/v1/deployments/:id/fail`. A longer reason is cut in the middle. */
export const FailDeploymentBody = z.object({
  error: z.object({ message: cutString(LIMITS.buildErrorBytes) }),
});

/** Lines of a build's log, in order. `batch` makes it safe to send them again. */
export const BuildLogBody = z.object({
  lines: z
    .array(z.object({ time: z.number().int().min(0), text: cutString(LIMITS.logMessageBytes) }))
    .min(1)
    .max(1_000),
  batch: LogBatch,
});

export const BuildLogResponse = z.object({
  /** Pairs of milliseconds since the epoch and the line, oldest first. */
  data: z.array(z.object({ time: z.number(), text: z.string() })),
});
export type BuildLogResponse = z.infer<typeof BuildLogResponse>;

export const DeploymentBody = z.object({
  id: z.string(),
  version: z.string(),
  status: z.enum(DEPLOYMENT_STATES),
  contentHash: z.string(),
  /** Absent: the deployment's runs need only the bundle. */
  image: z.object({ repository: z.string().optional(), digest: z.string().optional() }).optional(),
  /** Why its build failed. */
  error: z.string().optional(),
  tasks: z.array(z.string()),
  createdAt: z.iso.datetime(),
  /** True: this is the current deployment, on which new runs start. */
  promoted: z.boolean(),
  /** When it last became the current deployment. */
  promotedAt: z.iso.datetime().optional(),
});
export type DeploymentBody = z.infer<typeof DeploymentBody>;

/** Includes what its code declares. */
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

/** A deployment in the form that Trigger.dev's published client reads. */
export const DeploymentListItem = z.object({
  id: z.string(),
  createdAt: z.iso.datetime(),
  shortCode: z.string(),
  version: z.string(),
  runtime: z.string().nullable(),
  /** Always null: the host's Node.js runs it. */
  runtimeVersion: z.null(),
  status: z.enum(DEPLOYMENT_STATUSES),
  /** Absent during the build, and if the build failed. */
  deployedAt: z.iso.datetime().optional(),
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
