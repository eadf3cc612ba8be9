CREATE TABLE `access_tokens` (
	`hash` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`organization_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `access_tokens_id_unique` ON `access_tokens` (`id`);--> statement-breakpoint
CREATE TABLE `api_keys` (
	`hash` text PRIMARY KEY NOT NULL,
	`environment_key` text NOT NULL,
	`created_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `deployments` (
	`id` text PRIMARY KEY NOT NULL,
	`environment_key` text NOT NULL,
	`version` text NOT NULL,
	`content_hash` text NOT NULL,
	`bundle_bytes` integer NOT NULL,
	`manifest` text NOT NULL,
	`created_at` integer NOT NULL,
	`promoted_at` integer,
	FOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `deployments_version` ON `deployments` (`environment_key`,`version`);--> statement-breakpoint
CREATE INDEX `deployments_newest` ON `deployments` (`environment_key`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `environments` (
	`key` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`project_id` text NOT NULL,
	`slug` text NOT NULL,
	`type` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `environments_id_unique` ON `environments` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `environments_project_slug` ON `environments` (`project_id`,`slug`);--> statement-breakpoint
CREATE TABLE `organizations` (
	`id` text PRIMARY KEY NOT NULL,
	`slug` text NOT NULL,
	`name` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `organizations_slug_unique` ON `organizations` (`slug`);--> statement-breakpoint
CREATE TABLE `projects` (
	`id` text PRIMARY KEY NOT NULL,
	`ref` text NOT NULL,
	`name` text NOT NULL,
	`organization_id` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `projects_ref_unique` ON `projects` (`ref`);--> statement-breakpoint
CREATE INDEX `projects_of_organization` ON `projects` (`organization_id`,`ref`);--> statement-breakpoint
CREATE TABLE `queues` (
	`environment_key` text NOT NULL,
	`queue` text NOT NULL,
	`first_seen_at` integer NOT NULL,
	PRIMARY KEY(`environment_key`, `queue`)
);
--> statement-breakpoint
CREATE TABLE `run_tags` (
	`environment_key` text NOT NULL,
	`tag` text NOT NULL,
	`created_at` integer NOT NULL,
	`run_id` text NOT NULL,
	PRIMARY KEY(`environment_key`, `tag`, `created_at`, `run_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `runs` (
	`id` text PRIMARY KEY NOT NULL,
	`environment_key` text NOT NULL,
	`task` text NOT NULL,
	`queue` text NOT NULL,
	`status` text NOT NULL,
	`version` integer NOT NULL,
	`concurrency_key` text,
	`tags` text NOT NULL,
	`is_test` integer NOT NULL,
	`priority_ms` integer NOT NULL,
	`attempts` integer NOT NULL,
	`max_attempts` integer,
	`machine` text NOT NULL,
	`deployment_id` text,
	`deployment_version` text,
	`idempotency_key` text,
	`idempotency_key_expires_at` integer,
	`user_idempotency_key` text,
	`idempotency_key_scope` text,
	`ttl_ms` integer,
	`delay_until` integer,
	`created_at` integer NOT NULL,
	`queued_at` integer,
	`started_at` integer,
	`completed_at` integer,
	`expired_at` integer,
	`updated_at` integer NOT NULL,
	`usage_ms` real NOT NULL,
	`max_duration` integer,
	`depth` integer NOT NULL,
	`parent_run_id` text,
	`root_run_id` text,
	`batch_id` text,
	`schedule_id` text,
	`replayed_from` text,
	`error_message` text
);
--> statement-breakpoint
CREATE INDEX `runs_newest` ON `runs` (`environment_key`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `runs_of_task` ON `runs` (`environment_key`,`task`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `runs_not_succeeded` ON `runs` (`environment_key`,`status`,`created_at`,`id`) WHERE status <> 'COMPLETED_SUCCESSFULLY';--> statement-breakpoint
CREATE INDEX `runs_of_batch` ON `runs` (`environment_key`,`batch_id`,`created_at`,`id`) WHERE batch_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `runs_of_root` ON `runs` (`environment_key`,`root_run_id`,`created_at`,`id`) WHERE root_run_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `runs_of_parent` ON `runs` (`environment_key`,`parent_run_id`,`created_at`,`id`) WHERE parent_run_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `runs_of_schedule` ON `runs` (`environment_key`,`schedule_id`,`created_at`,`id`) WHERE schedule_id IS NOT NULL;