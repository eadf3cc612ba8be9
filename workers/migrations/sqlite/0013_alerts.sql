CREATE TABLE `alert_channels` (
	`id` text PRIMARY KEY NOT NULL,
	`environment_key` text NOT NULL,
	`type` text NOT NULL,
	`name` text NOT NULL,
	`target` text NOT NULL,
	`sealed` text NOT NULL,
	`key_id` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`key_id`) REFERENCES `organization_keys`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `alert_channels_of_environment` ON `alert_channels` (`environment_key`,`created_at`);--> statement-breakpoint
CREATE INDEX `alert_channels_of_key` ON `alert_channels` (`key_id`);--> statement-breakpoint
CREATE TABLE `alert_rules` (
	`id` text PRIMARY KEY NOT NULL,
	`environment_key` text NOT NULL,
	`rule` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `alert_rules_of_environment` ON `alert_rules` (`environment_key`,`created_at`);