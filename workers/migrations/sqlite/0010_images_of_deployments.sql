ALTER TABLE `deployments` ADD `status` text DEFAULT 'DEPLOYED' NOT NULL;--> statement-breakpoint
ALTER TABLE `deployments` ADD `finished_at` integer;--> statement-breakpoint
ALTER TABLE `deployments` ADD `failure` text;--> statement-breakpoint
ALTER TABLE `deployments` ADD `has_image` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `deployments` ADD `image_repository` text;--> statement-breakpoint
ALTER TABLE `deployments` ADD `image_digest` text;