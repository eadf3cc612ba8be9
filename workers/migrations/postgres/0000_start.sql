CREATE TABLE "access_tokens" (
	"hash" text PRIMARY KEY NOT NULL,
	"id" text NOT NULL,
	"organization_id" text NOT NULL,
	"created_at" bigint NOT NULL,
	"revoked_at" bigint,
	CONSTRAINT "access_tokens_id_unique" UNIQUE("id")
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"hash" text PRIMARY KEY NOT NULL,
	"environment_key" text NOT NULL,
	"created_at" bigint NOT NULL,
	"revoked_at" bigint
);
--> statement-breakpoint
CREATE TABLE "deployments" (
	"id" text PRIMARY KEY NOT NULL,
	"environment_key" text NOT NULL,
	"version" text NOT NULL,
	"content_hash" text NOT NULL,
	"bundle_bytes" integer NOT NULL,
	"manifest" json NOT NULL,
	"created_at" bigint NOT NULL,
	"promoted_at" bigint
);
--> statement-breakpoint
CREATE TABLE "environments" (
	"key" text PRIMARY KEY NOT NULL,
	"id" text NOT NULL,
	"project_id" text NOT NULL,
	"slug" text NOT NULL,
	"type" text NOT NULL,
	"created_at" bigint NOT NULL,
	CONSTRAINT "environments_id_unique" UNIQUE("id")
);
--> statement-breakpoint
CREATE TABLE "organizations" (
	"id" text PRIMARY KEY NOT NULL,
	"slug" text NOT NULL,
	"name" text NOT NULL,
	"created_at" bigint NOT NULL,
	CONSTRAINT "organizations_slug_unique" UNIQUE("slug")
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" text PRIMARY KEY NOT NULL,
	"ref" text NOT NULL,
	"name" text NOT NULL,
	"organization_id" text NOT NULL,
	"created_at" bigint NOT NULL,
	CONSTRAINT "projects_ref_unique" UNIQUE("ref")
);
--> statement-breakpoint
CREATE TABLE "queues" (
	"environment_key" text NOT NULL,
	"queue" text NOT NULL,
	"first_seen_at" bigint NOT NULL,
	CONSTRAINT "queues_environment_key_queue_pk" PRIMARY KEY("environment_key","queue")
);
--> statement-breakpoint
CREATE TABLE "run_tags" (
	"environment_key" text NOT NULL,
	"tag" text NOT NULL,
	"created_at" bigint NOT NULL,
	"run_id" text NOT NULL,
	CONSTRAINT "run_tags_environment_key_tag_created_at_run_id_pk" PRIMARY KEY("environment_key","tag","created_at","run_id")
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"id" text PRIMARY KEY NOT NULL,
	"environment_key" text NOT NULL,
	"task" text NOT NULL,
	"queue" text NOT NULL,
	"status" text NOT NULL,
	"version" integer NOT NULL,
	"concurrency_key" text,
	"tags" jsonb NOT NULL,
	"is_test" boolean NOT NULL,
	"priority_ms" bigint NOT NULL,
	"attempts" integer NOT NULL,
	"max_attempts" integer,
	"machine" text NOT NULL,
	"deployment_id" text,
	"deployment_version" text,
	"idempotency_key" text,
	"idempotency_key_expires_at" bigint,
	"user_idempotency_key" text,
	"idempotency_key_scope" text,
	"ttl_ms" bigint,
	"delay_until" bigint,
	"created_at" bigint NOT NULL,
	"queued_at" bigint,
	"started_at" bigint,
	"completed_at" bigint,
	"expired_at" bigint,
	"updated_at" bigint NOT NULL,
	"usage_ms" double precision NOT NULL,
	"max_duration" integer,
	"depth" integer NOT NULL,
	"parent_run_id" text,
	"root_run_id" text,
	"batch_id" text,
	"schedule_id" text,
	"replayed_from" text,
	"error_message" text
);
--> statement-breakpoint
ALTER TABLE "access_tokens" ADD CONSTRAINT "access_tokens_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_environment_key_environments_key_fk" FOREIGN KEY ("environment_key") REFERENCES "public"."environments"("key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_environment_key_environments_key_fk" FOREIGN KEY ("environment_key") REFERENCES "public"."environments"("key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "environments" ADD CONSTRAINT "environments_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "projects" ADD CONSTRAINT "projects_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "deployments_version" ON "deployments" USING btree ("environment_key","version");--> statement-breakpoint
CREATE INDEX "deployments_newest" ON "deployments" USING btree ("environment_key","created_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "environments_project_slug" ON "environments" USING btree ("project_id","slug");--> statement-breakpoint
CREATE INDEX "projects_of_organization" ON "projects" USING btree ("organization_id","ref");--> statement-breakpoint
CREATE INDEX "runs_newest" ON "runs" USING btree ("environment_key","created_at","id");--> statement-breakpoint
CREATE INDEX "runs_of_task" ON "runs" USING btree ("environment_key","task","created_at","id");--> statement-breakpoint
CREATE INDEX "runs_not_succeeded" ON "runs" USING btree ("environment_key","status","created_at","id") WHERE status <> 'COMPLETED_SUCCESSFULLY';--> statement-breakpoint
CREATE INDEX "runs_of_batch" ON "runs" USING btree ("environment_key","batch_id","created_at","id") WHERE batch_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "runs_of_root" ON "runs" USING btree ("environment_key","root_run_id","created_at","id") WHERE root_run_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "runs_of_parent" ON "runs" USING btree ("environment_key","parent_run_id","created_at","id") WHERE parent_run_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "runs_of_schedule" ON "runs" USING btree ("environment_key","schedule_id","created_at","id") WHERE schedule_id IS NOT NULL;