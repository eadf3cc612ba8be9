CREATE TABLE "audit_log" (
	"id" text PRIMARY KEY NOT NULL,
	"organization_id" text NOT NULL,
	"at" bigint NOT NULL,
	"actor_type" text NOT NULL,
	"actor_id" text,
	"actor_name" text NOT NULL,
	"action" text NOT NULL,
	"target_type" text NOT NULL,
	"target_id" text NOT NULL,
	"scope" text,
	"details" jsonb NOT NULL,
	"address" text,
	"user_agent" text
);
--> statement-breakpoint
CREATE TABLE "organization_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"organization_id" text NOT NULL,
	"number" integer NOT NULL,
	"wrapped" text NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "variables" (
	"environment_key" text NOT NULL,
	"name" text NOT NULL,
	"sealed" text NOT NULL,
	"key_id" text NOT NULL,
	"is_secret" boolean NOT NULL,
	"created_at" bigint NOT NULL,
	"updated_at" bigint NOT NULL,
	"updated_by" text NOT NULL,
	CONSTRAINT "variables_environment_key_name_pk" PRIMARY KEY("environment_key","name")
);
--> statement-breakpoint
ALTER TABLE "environments" ADD COLUMN "user_id" text;--> statement-breakpoint
ALTER TABLE "environments" ADD COLUMN "parent_key" text;--> statement-breakpoint
ALTER TABLE "environments" ADD COLUMN "branch" text;--> statement-breakpoint
ALTER TABLE "environments" ADD COLUMN "archived_at" bigint;--> statement-breakpoint
ALTER TABLE "organizations" ADD COLUMN "concurrency_ceiling" integer;--> statement-breakpoint
ALTER TABLE "projects" ADD COLUMN "deleted_at" bigint;--> statement-breakpoint
ALTER TABLE "audit_log" ADD CONSTRAINT "audit_log_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "organization_keys" ADD CONSTRAINT "organization_keys_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "variables" ADD CONSTRAINT "variables_environment_key_environments_key_fk" FOREIGN KEY ("environment_key") REFERENCES "public"."environments"("key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "variables" ADD CONSTRAINT "variables_key_id_organization_keys_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."organization_keys"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_newest" ON "audit_log" USING btree ("organization_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "organization_keys_number" ON "organization_keys" USING btree ("organization_id","number");--> statement-breakpoint
CREATE INDEX "variables_of_key" ON "variables" USING btree ("key_id");--> statement-breakpoint
CREATE UNIQUE INDEX "environments_branch" ON "environments" USING btree ("parent_key","branch") WHERE parent_key IS NOT NULL;