CREATE TABLE "waitpoints" (
	"environment_key" text NOT NULL,
	"id" text NOT NULL,
	"status" text NOT NULL,
	"version" integer NOT NULL,
	"tags" jsonb NOT NULL,
	"idempotency_key" text,
	"idempotency_key_expires_at" bigint,
	"created_at" bigint NOT NULL,
	"timeout_at" bigint,
	"completed_at" bigint,
	CONSTRAINT "waitpoints_environment_key_id_pk" PRIMARY KEY("environment_key","id")
);
--> statement-breakpoint
CREATE INDEX "waitpoints_of_status" ON "waitpoints" USING btree ("environment_key","status","id");--> statement-breakpoint
CREATE INDEX "waitpoints_of_idempotency_key" ON "waitpoints" USING btree ("environment_key","idempotency_key","id") WHERE idempotency_key IS NOT NULL;