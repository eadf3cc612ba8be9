CREATE TABLE `audit_log` (
	`id` text PRIMARY KEY NOT NULL,
	`organization_id` text NOT NULL,
	`at` integer NOT NULL,
	`actor_type` text NOT NULL,
	`actor_id` text,
	`actor_name` text NOT NULL,
	`action` text NOT NULL,
	`target_type` text NOT NULL,
	`target_id` text NOT NULL,
	`scope` text,
	`details` text NOT NULL,
	`address` text,
	`user_agent` text,
	FOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `audit_log_newest` ON `audit_log` (`organization_id`,`id`);--> statement-breakpoint
CREATE TABLE `organization_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`organization_id` text NOT NULL,
	`number` integer NOT NULL,
	`wrapped` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `organization_keys_number` ON `organization_keys` (`organization_id`,`number`);--> statement-breakpoint
CREATE TABLE `variables` (
	`environment_key` text NOT NULL,
	`name` text NOT NULL,
	`sealed` text NOT NULL,
	`key_id` text NOT NULL,
	`is_secret` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`updated_by` text NOT NULL,
	PRIMARY KEY(`environment_key`, `name`),
	FOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`key_id`) REFERENCES `organization_keys`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `variables_of_key` ON `variables` (`key_id`);--> statement-breakpoint
ALTER TABLE `environments` ADD `user_id` text;--> statement-breakpoint
ALTER TABLE `environments` ADD `parent_key` text;--> statement-breakpoint
ALTER TABLE `environments` ADD `branch` text;--> statement-breakpoint
ALTER TABLE `environments` ADD `archived_at` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `environments_branch` ON `environments` (`parent_key`,`branch`) WHERE parent_key IS NOT NULL;--> statement-breakpoint
ALTER TABLE `organizations` ADD `concurrency_ceiling` integer;--> statement-breakpoint
ALTER TABLE `projects` ADD `deleted_at` integer;