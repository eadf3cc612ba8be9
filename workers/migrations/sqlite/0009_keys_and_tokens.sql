CREATE TABLE `device_logins` (
	`hash` text PRIMARY KEY NOT NULL,
	`user_code` text NOT NULL,
	`client_name` text NOT NULL,
	`scopes` text NOT NULL,
	`address` text,
	`user_agent` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`decision` text,
	`user_id` text,
	`organization_id` text,
	`used_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `device_logins_user_code_unique` ON `device_logins` (`user_code`);--> statement-breakpoint
CREATE INDEX `device_logins_by_expiry` ON `device_logins` (`expires_at`);--> statement-breakpoint
ALTER TABLE `access_tokens` ADD `user_id` text;--> statement-breakpoint
ALTER TABLE `access_tokens` ADD `name` text DEFAULT 'access token' NOT NULL;--> statement-breakpoint
ALTER TABLE `access_tokens` ADD `start` text;--> statement-breakpoint
ALTER TABLE `access_tokens` ADD `scopes` text DEFAULT 'admin' NOT NULL;--> statement-breakpoint
ALTER TABLE `access_tokens` ADD `last_used_at` integer;--> statement-breakpoint
ALTER TABLE `access_tokens` ADD `expires_at` integer;--> statement-breakpoint
CREATE INDEX `access_tokens_of_user` ON `access_tokens` (`user_id`,`created_at`);--> statement-breakpoint
ALTER TABLE `api_keys` ADD `name` text DEFAULT 'default' NOT NULL;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `start` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `created_by` text;--> statement-breakpoint
ALTER TABLE `api_keys` ADD `last_used_at` integer;--> statement-breakpoint
CREATE INDEX `api_keys_newest` ON `api_keys` (`environment_key`,`created_at`,`hash`);