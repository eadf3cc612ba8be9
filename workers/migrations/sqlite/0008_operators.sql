CREATE TABLE `__new_audit_log` (
	`id` text PRIMARY KEY NOT NULL,
	`organization_id` text,
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
	`announced` integer DEFAULT false NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
INSERT INTO `__new_audit_log`("id", "organization_id", "at", "actor_type", "actor_id", "actor_name", "action", "target_type", "target_id", "scope", "details", "address", "user_agent") SELECT "id", "organization_id", "at", "actor_type", "actor_id", "actor_name", "action", "target_type", "target_id", "scope", "details", "address", "user_agent" FROM `audit_log`;
--> statement-breakpoint
DROP TABLE `audit_log`;
--> statement-breakpoint
ALTER TABLE `__new_audit_log` RENAME TO `audit_log`;
--> statement-breakpoint
CREATE INDEX `audit_log_newest` ON `audit_log` (`organization_id`,`id`);
--> statement-breakpoint
ALTER TABLE `organizations` ADD `weight` real;
--> statement-breakpoint
CREATE TABLE `audit_outcomes` (
	`audit_id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`outcome` text NOT NULL,
	`details` text NOT NULL,
	FOREIGN KEY (`audit_id`) REFERENCES `audit_log`(`id`) ON UPDATE no action ON DELETE no action
);