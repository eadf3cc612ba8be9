CREATE TABLE `bulk_actions` (
	`id` text PRIMARY KEY NOT NULL,
	`environment_key` text NOT NULL,
	`name` text,
	`type` text NOT NULL,
	`status` text NOT NULL,
	`total` integer NOT NULL,
	`success` integer NOT NULL,
	`failure` integer NOT NULL,
	`created_at` integer NOT NULL,
	`completed_at` integer,
	`failures` text NOT NULL,
	FOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `bulk_actions_newest` ON `bulk_actions` (`environment_key`,`id`);