CREATE TABLE `waitpoints` (
	`environment_key` text NOT NULL,
	`id` text NOT NULL,
	`status` text NOT NULL,
	`version` integer NOT NULL,
	`tags` text NOT NULL,
	`idempotency_key` text,
	`idempotency_key_expires_at` integer,
	`created_at` integer NOT NULL,
	`timeout_at` integer,
	`completed_at` integer,
	PRIMARY KEY(`environment_key`, `id`)
);
--> statement-breakpoint
CREATE INDEX `waitpoints_of_status` ON `waitpoints` (`environment_key`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `waitpoints_of_idempotency_key` ON `waitpoints` (`environment_key`,`idempotency_key`,`id`) WHERE idempotency_key IS NOT NULL;