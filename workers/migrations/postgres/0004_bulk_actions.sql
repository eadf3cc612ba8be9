CREATE TABLE "bulk_actions" (
	"id" text PRIMARY KEY NOT NULL,
	"environment_key" text NOT NULL,
	"name" text,
	"type" text NOT NULL,
	"status" text NOT NULL,
	"total" integer NOT NULL,
	"success" integer NOT NULL,
	"failure" integer NOT NULL,
	"created_at" bigint NOT NULL,
	"completed_at" bigint,
	"failures" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "bulk_actions" ADD CONSTRAINT "bulk_actions_environment_key_environments_key_fk" FOREIGN KEY ("environment_key") REFERENCES "public"."environments"("key") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "bulk_actions_newest" ON "bulk_actions" USING btree ("environment_key","id");