ALTER TABLE "deployments" ADD COLUMN "status" text DEFAULT 'DEPLOYED' NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "finished_at" bigint;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "failure" text;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "has_image" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "image_repository" text;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "image_digest" text;