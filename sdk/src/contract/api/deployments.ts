import { z } from "zod";
import { WorkerManifest } from "../manifest.ts";

export const ENVIRONMENT_SLUGS = ["dev", "staging", "preview", "prod"] as const;

export const ContentHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "Give the SHA-256 of the bundle, 64 hexadecimal digits");

export const CreateDeploymentBody = z.object({
  contentHash: ContentHash,
  manifest: WorkerManifest,
  promote: z.boolean().default(true),
});

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
