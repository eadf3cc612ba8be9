CREATE TABLE "device_logins" (
	"hash" text PRIMARY KEY NOT NULL,
	"user_code" text NOT NULL,
	"client_name" text NOT NULL,
	"scopes" text NOT NULL,
	"address" text,
	"user_agent" text,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"decision" text,
	"user_id" text,
	"organization_id" text,
	"used_at" bigint,
	CONSTRAINT "device_logins_user_code_unique" UNIQUE("user_code")
);
--> statement-breakpoint
ALTER TABLE "access_tokens" ADD COLUMN "user_id" text;--> statement-breakpoint
ALTER TABLE "access_tokens" ADD COLUMN "name" text DEFAULT 'access token' NOT NULL;--> statement-breakpoint
ALTER TABLE "access_tokens" ADD COLUMN "start" text;--> statement-breakpoint
ALTER TABLE "access_tokens" ADD COLUMN "scopes" text DEFAULT 'admin' NOT NULL;--> statement-breakpoint
ALTER TABLE "access_tokens" ADD COLUMN "last_used_at" bigint;--> statement-breakpoint
ALTER TABLE "access_tokens" ADD COLUMN "expires_at" bigint;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "name" text DEFAULT 'default' NOT NULL;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "start" text;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "created_by" text;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "last_used_at" bigint;--> statement-breakpoint
CREATE INDEX "device_logins_by_expiry" ON "device_logins" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "access_tokens_of_user" ON "access_tokens" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "api_keys_newest" ON "api_keys" USING btree ("environment_key","created_at","hash");