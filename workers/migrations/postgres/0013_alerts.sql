CREATE TABLE "alert_channels" (
	"id" text PRIMARY KEY NOT NULL,
	"environment_key" text NOT NULL,
	"type" text NOT NULL,
	"name" text NOT NULL,
	"target" text NOT NULL,
	"sealed" text NOT NULL,
	"key_id" text NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "alert_rules" (
	"id" text PRIMARY KEY NOT NULL,
	"environment_key" text NOT NULL,
	"rule" jsonb NOT NULL,
	"created_at" bigint NOT NULL,
	"updated_at" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "alert_channels" ADD CONSTRAINT "alert_channels_key_id_organization_keys_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."organization_keys"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "alert_channels_of_environment" ON "alert_channels" USING btree ("environment_key","created_at");--> statement-breakpoint
CREATE INDEX "alert_channels_of_key" ON "alert_channels" USING btree ("key_id");--> statement-breakpoint
CREATE INDEX "alert_rules_of_environment" ON "alert_rules" USING btree ("environment_key","created_at");