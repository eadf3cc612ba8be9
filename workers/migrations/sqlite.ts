/** Written by `npm run migrations` from workers/migrations/sqlite. */
export const sqliteMigrations = {
  "journal": {
    "version": "7",
    "dialect": "sqlite",
    "entries": [
      {
        "idx": 0,
        "version": "6",
        "when": 1795524859048,
        "tag": "0000_start",
        "breakpoints": true
      },
      {
        "idx": 1,
        "version": "6",
        "when": 1795545990251,
        "tag": "0001_waitpoints",
        "breakpoints": true
      },
      {
        "idx": 2,
        "version": "6",
        "when": 1795785913690,
        "tag": "0002_people",
        "breakpoints": true
      },
      {
        "idx": 3,
        "version": "6",
        "when": 1795787067775,
        "tag": "0003_control",
        "breakpoints": true
      },
      {
        "idx": 4,
        "version": "6",
        "when": 1795790115416,
        "tag": "0004_bulk_actions",
        "breakpoints": true
      },
      {
        "idx": 5,
        "version": "6",
        "when": 1795801981132,
        "tag": "0005_drop_queues",
        "breakpoints": true
      },
      {
        "idx": 6,
        "version": "6",
        "when": 1795802285498,
        "tag": "0006_passkeys",
        "breakpoints": true
      },
      {
        "idx": 7,
        "version": "6",
        "when": 1795802593184,
        "tag": "0007_runs_of_bulk_actions",
        "breakpoints": true
      },
      {
        "idx": 8,
        "version": "6",
        "when": 1795802905291,
        "tag": "0008_operators",
        "breakpoints": true
      },
      {
        "idx": 9,
        "version": "6",
        "when": 1795803692404,
        "tag": "0009_keys_and_tokens",
        "breakpoints": true
      },
      {
        "idx": 10,
        "version": "6",
        "when": 1795815034365,
        "tag": "0010_images_of_deployments",
        "breakpoints": true
      },
      {
        "idx": 11,
        "version": "6",
        "when": 1795816160807,
        "tag": "0011_telemetry",
        "breakpoints": true
      },
      {
        "idx": 12,
        "version": "6",
        "when": 1795816916956,
        "tag": "0012_cool_romulus",
        "breakpoints": true
      },
      {
        "idx": 13,
        "version": "6",
        "when": 1795819748509,
        "tag": "0013_alerts",
        "breakpoints": true
      },
      {
        "idx": 14,
        "version": "6",
        "when": 1795827262393,
        "tag": "0014_collected_deployments",
        "breakpoints": true
      }
    ]
  },
  "migrations": {
    "m0000": "CREATE TABLE `access_tokens` (\n\t`hash` text PRIMARY KEY NOT NULL,\n\t`id` text NOT NULL,\n\t`organization_id` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`revoked_at` integer,\n\tFOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `access_tokens_id_unique` ON `access_tokens` (`id`);--> statement-breakpoint\nCREATE TABLE `api_keys` (\n\t`hash` text PRIMARY KEY NOT NULL,\n\t`environment_key` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`revoked_at` integer,\n\tFOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE TABLE `deployments` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`environment_key` text NOT NULL,\n\t`version` text NOT NULL,\n\t`content_hash` text NOT NULL,\n\t`bundle_bytes` integer NOT NULL,\n\t`manifest` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`promoted_at` integer,\n\tFOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `deployments_version` ON `deployments` (`environment_key`,`version`);--> statement-breakpoint\nCREATE INDEX `deployments_newest` ON `deployments` (`environment_key`,`created_at`,`id`);--> statement-breakpoint\nCREATE TABLE `environments` (\n\t`key` text PRIMARY KEY NOT NULL,\n\t`id` text NOT NULL,\n\t`project_id` text NOT NULL,\n\t`slug` text NOT NULL,\n\t`type` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\tFOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `environments_id_unique` ON `environments` (`id`);--> statement-breakpoint\nCREATE UNIQUE INDEX `environments_project_slug` ON `environments` (`project_id`,`slug`);--> statement-breakpoint\nCREATE TABLE `organizations` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`slug` text NOT NULL,\n\t`name` text NOT NULL,\n\t`created_at` integer NOT NULL\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `organizations_slug_unique` ON `organizations` (`slug`);--> statement-breakpoint\nCREATE TABLE `projects` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`ref` text NOT NULL,\n\t`name` text NOT NULL,\n\t`organization_id` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\tFOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `projects_ref_unique` ON `projects` (`ref`);--> statement-breakpoint\nCREATE INDEX `projects_of_organization` ON `projects` (`organization_id`,`ref`);--> statement-breakpoint\nCREATE TABLE `queues` (\n\t`environment_key` text NOT NULL,\n\t`queue` text NOT NULL,\n\t`first_seen_at` integer NOT NULL,\n\tPRIMARY KEY(`environment_key`, `queue`)\n);\n--> statement-breakpoint\nCREATE TABLE `run_tags` (\n\t`environment_key` text NOT NULL,\n\t`tag` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`run_id` text NOT NULL,\n\tPRIMARY KEY(`environment_key`, `tag`, `created_at`, `run_id`)\n) WITHOUT ROWID;\n--> statement-breakpoint\nCREATE TABLE `runs` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`environment_key` text NOT NULL,\n\t`task` text NOT NULL,\n\t`queue` text NOT NULL,\n\t`status` text NOT NULL,\n\t`version` integer NOT NULL,\n\t`concurrency_key` text,\n\t`tags` text NOT NULL,\n\t`is_test` integer NOT NULL,\n\t`priority_ms` integer NOT NULL,\n\t`attempts` integer NOT NULL,\n\t`max_attempts` integer,\n\t`machine` text NOT NULL,\n\t`deployment_id` text,\n\t`deployment_version` text,\n\t`idempotency_key` text,\n\t`idempotency_key_expires_at` integer,\n\t`user_idempotency_key` text,\n\t`idempotency_key_scope` text,\n\t`ttl_ms` integer,\n\t`delay_until` integer,\n\t`created_at` integer NOT NULL,\n\t`queued_at` integer,\n\t`started_at` integer,\n\t`completed_at` integer,\n\t`expired_at` integer,\n\t`updated_at` integer NOT NULL,\n\t`usage_ms` real NOT NULL,\n\t`max_duration` integer,\n\t`depth` integer NOT NULL,\n\t`parent_run_id` text,\n\t`root_run_id` text,\n\t`batch_id` text,\n\t`schedule_id` text,\n\t`replayed_from` text,\n\t`error_message` text\n);\n--> statement-breakpoint\nCREATE INDEX `runs_newest` ON `runs` (`environment_key`,`created_at`,`id`);--> statement-breakpoint\nCREATE INDEX `runs_of_task` ON `runs` (`environment_key`,`task`,`created_at`,`id`);--> statement-breakpoint\nCREATE INDEX `runs_not_succeeded` ON `runs` (`environment_key`,`status`,`created_at`,`id`) WHERE status <> 'COMPLETED_SUCCESSFULLY';--> statement-breakpoint\nCREATE INDEX `runs_of_batch` ON `runs` (`environment_key`,`batch_id`,`created_at`,`id`) WHERE batch_id IS NOT NULL;--> statement-breakpoint\nCREATE INDEX `runs_of_root` ON `runs` (`environment_key`,`root_run_id`,`created_at`,`id`) WHERE root_run_id IS NOT NULL;--> statement-breakpoint\nCREATE INDEX `runs_of_parent` ON `runs` (`environment_key`,`parent_run_id`,`created_at`,`id`) WHERE parent_run_id IS NOT NULL;--> statement-breakpoint\nCREATE INDEX `runs_of_schedule` ON `runs` (`environment_key`,`schedule_id`,`created_at`,`id`) WHERE schedule_id IS NOT NULL;",
    "m0001": "CREATE TABLE `waitpoints` (\n\t`environment_key` text NOT NULL,\n\t`id` text NOT NULL,\n\t`status` text NOT NULL,\n\t`version` integer NOT NULL,\n\t`tags` text NOT NULL,\n\t`idempotency_key` text,\n\t`idempotency_key_expires_at` integer,\n\t`created_at` integer NOT NULL,\n\t`timeout_at` integer,\n\t`completed_at` integer,\n\tPRIMARY KEY(`environment_key`, `id`)\n);\n--> statement-breakpoint\nCREATE INDEX `waitpoints_of_status` ON `waitpoints` (`environment_key`,`status`,`id`);--> statement-breakpoint\nCREATE INDEX `waitpoints_of_idempotency_key` ON `waitpoints` (`environment_key`,`idempotency_key`,`id`) WHERE idempotency_key IS NOT NULL;",
    "m0002": "CREATE TABLE `accounts` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`account_id` text NOT NULL,\n\t`provider_id` text NOT NULL,\n\t`user_id` text NOT NULL,\n\t`access_token` text,\n\t`refresh_token` text,\n\t`id_token` text,\n\t`access_token_expires_at` integer,\n\t`refresh_token_expires_at` integer,\n\t`scope` text,\n\t`password` text,\n\t`created_at` integer NOT NULL,\n\t`updated_at` integer NOT NULL,\n\tFOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `accounts_of_provider` ON `accounts` (`provider_id`,`account_id`);--> statement-breakpoint\nCREATE INDEX `accounts_of_user` ON `accounts` (`user_id`);--> statement-breakpoint\nCREATE TABLE `invitations` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`organization_id` text NOT NULL,\n\t`email` text NOT NULL,\n\t`role` text NOT NULL,\n\t`token_hash` text NOT NULL,\n\t`invited_by` text,\n\t`created_at` integer NOT NULL,\n\t`expires_at` integer NOT NULL,\n\t`accepted_at` integer,\n\t`accepted_by` text,\n\t`revoked_at` integer,\n\tFOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `invitations_token_hash_unique` ON `invitations` (`token_hash`);--> statement-breakpoint\nCREATE INDEX `invitations_of_organization` ON `invitations` (`organization_id`,`created_at`,`id`);--> statement-breakpoint\nCREATE INDEX `invitations_of_email` ON `invitations` (`email`);--> statement-breakpoint\nCREATE TABLE `members` (\n\t`organization_id` text NOT NULL,\n\t`user_id` text NOT NULL,\n\t`role` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\tPRIMARY KEY(`organization_id`, `user_id`),\n\tFOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action,\n\tFOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade\n);\n--> statement-breakpoint\nCREATE INDEX `members_of_user` ON `members` (`user_id`);--> statement-breakpoint\nCREATE TABLE `sessions` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`token` text NOT NULL,\n\t`user_id` text NOT NULL,\n\t`expires_at` integer NOT NULL,\n\t`ip_address` text,\n\t`user_agent` text,\n\t`created_at` integer NOT NULL,\n\t`updated_at` integer NOT NULL,\n\tFOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `sessions_token_unique` ON `sessions` (`token`);--> statement-breakpoint\nCREATE INDEX `sessions_of_user` ON `sessions` (`user_id`,`created_at`);--> statement-breakpoint\nCREATE TABLE `users` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`name` text NOT NULL,\n\t`email` text NOT NULL,\n\t`email_verified` integer NOT NULL,\n\t`image` text,\n\t`created_at` integer NOT NULL,\n\t`updated_at` integer NOT NULL\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `users_email_unique` ON `users` (`email`);--> statement-breakpoint\nCREATE TABLE `verifications` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`identifier` text NOT NULL,\n\t`value` text NOT NULL,\n\t`expires_at` integer NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`updated_at` integer NOT NULL\n);\n--> statement-breakpoint\nCREATE INDEX `verifications_of_identifier` ON `verifications` (`identifier`);--> statement-breakpoint\nCREATE INDEX `verifications_by_expiry` ON `verifications` (`expires_at`);",
    "m0003": "CREATE TABLE `audit_log` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`organization_id` text NOT NULL,\n\t`at` integer NOT NULL,\n\t`actor_type` text NOT NULL,\n\t`actor_id` text,\n\t`actor_name` text NOT NULL,\n\t`action` text NOT NULL,\n\t`target_type` text NOT NULL,\n\t`target_id` text NOT NULL,\n\t`scope` text,\n\t`details` text NOT NULL,\n\t`address` text,\n\t`user_agent` text,\n\tFOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE INDEX `audit_log_newest` ON `audit_log` (`organization_id`,`id`);--> statement-breakpoint\nCREATE TABLE `organization_keys` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`organization_id` text NOT NULL,\n\t`number` integer NOT NULL,\n\t`wrapped` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\tFOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `organization_keys_number` ON `organization_keys` (`organization_id`,`number`);--> statement-breakpoint\nCREATE TABLE `variables` (\n\t`environment_key` text NOT NULL,\n\t`name` text NOT NULL,\n\t`sealed` text NOT NULL,\n\t`key_id` text NOT NULL,\n\t`is_secret` integer NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`updated_at` integer NOT NULL,\n\t`updated_by` text NOT NULL,\n\tPRIMARY KEY(`environment_key`, `name`),\n\tFOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action,\n\tFOREIGN KEY (`key_id`) REFERENCES `organization_keys`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE INDEX `variables_of_key` ON `variables` (`key_id`);--> statement-breakpoint\nALTER TABLE `environments` ADD `user_id` text;--> statement-breakpoint\nALTER TABLE `environments` ADD `parent_key` text;--> statement-breakpoint\nALTER TABLE `environments` ADD `branch` text;--> statement-breakpoint\nALTER TABLE `environments` ADD `archived_at` integer;--> statement-breakpoint\nCREATE UNIQUE INDEX `environments_branch` ON `environments` (`parent_key`,`branch`) WHERE parent_key IS NOT NULL;--> statement-breakpoint\nALTER TABLE `organizations` ADD `concurrency_ceiling` integer;--> statement-breakpoint\nALTER TABLE `projects` ADD `deleted_at` integer;",
    "m0004": "CREATE TABLE `bulk_actions` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`environment_key` text NOT NULL,\n\t`name` text,\n\t`type` text NOT NULL,\n\t`status` text NOT NULL,\n\t`total` integer NOT NULL,\n\t`success` integer NOT NULL,\n\t`failure` integer NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`completed_at` integer,\n\t`failures` text NOT NULL,\n\tFOREIGN KEY (`environment_key`) REFERENCES `environments`(`key`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE INDEX `bulk_actions_newest` ON `bulk_actions` (`environment_key`,`id`);",
    "m0005": "DROP TABLE `queues`;",
    "m0006": "CREATE TABLE `passkeys` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`name` text,\n\t`public_key` text NOT NULL,\n\t`user_id` text NOT NULL,\n\t`credential_id` text NOT NULL,\n\t`counter` integer NOT NULL,\n\t`device_type` text NOT NULL,\n\t`backed_up` integer NOT NULL,\n\t`transports` text,\n\t`created_at` integer,\n\t`aaguid` text,\n\t`last_used_at` integer,\n\tFOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `passkeys_credential_id_unique` ON `passkeys` (`credential_id`);--> statement-breakpoint\nCREATE INDEX `passkeys_of_user` ON `passkeys` (`user_id`,`created_at`);",
    "m0007": "ALTER TABLE `runs` ADD `bulk_actions` text DEFAULT '[]' NOT NULL;",
    "m0008": "CREATE TABLE `__new_audit_log` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`organization_id` text,\n\t`at` integer NOT NULL,\n\t`actor_type` text NOT NULL,\n\t`actor_id` text,\n\t`actor_name` text NOT NULL,\n\t`action` text NOT NULL,\n\t`target_type` text NOT NULL,\n\t`target_id` text NOT NULL,\n\t`scope` text,\n\t`details` text NOT NULL,\n\t`address` text,\n\t`user_agent` text,\n\t`announced` integer DEFAULT false NOT NULL,\n\tFOREIGN KEY (`organization_id`) REFERENCES `organizations`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nINSERT INTO `__new_audit_log`(\"id\", \"organization_id\", \"at\", \"actor_type\", \"actor_id\", \"actor_name\", \"action\", \"target_type\", \"target_id\", \"scope\", \"details\", \"address\", \"user_agent\") SELECT \"id\", \"organization_id\", \"at\", \"actor_type\", \"actor_id\", \"actor_name\", \"action\", \"target_type\", \"target_id\", \"scope\", \"details\", \"address\", \"user_agent\" FROM `audit_log`;\n--> statement-breakpoint\nDROP TABLE `audit_log`;\n--> statement-breakpoint\nALTER TABLE `__new_audit_log` RENAME TO `audit_log`;\n--> statement-breakpoint\nCREATE INDEX `audit_log_newest` ON `audit_log` (`organization_id`,`id`);\n--> statement-breakpoint\nALTER TABLE `organizations` ADD `weight` real;\n--> statement-breakpoint\nCREATE TABLE `audit_outcomes` (\n\t`audit_id` text PRIMARY KEY NOT NULL,\n\t`at` integer NOT NULL,\n\t`outcome` text NOT NULL,\n\t`details` text NOT NULL,\n\tFOREIGN KEY (`audit_id`) REFERENCES `audit_log`(`id`) ON UPDATE no action ON DELETE no action\n);",
    "m0009": "CREATE TABLE `device_logins` (\n\t`hash` text PRIMARY KEY NOT NULL,\n\t`user_code` text NOT NULL,\n\t`client_name` text NOT NULL,\n\t`scopes` text NOT NULL,\n\t`address` text,\n\t`user_agent` text,\n\t`created_at` integer NOT NULL,\n\t`expires_at` integer NOT NULL,\n\t`decision` text,\n\t`user_id` text,\n\t`organization_id` text,\n\t`used_at` integer\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `device_logins_user_code_unique` ON `device_logins` (`user_code`);--> statement-breakpoint\nCREATE INDEX `device_logins_by_expiry` ON `device_logins` (`expires_at`);--> statement-breakpoint\nALTER TABLE `access_tokens` ADD `user_id` text;--> statement-breakpoint\nALTER TABLE `access_tokens` ADD `name` text DEFAULT 'access token' NOT NULL;--> statement-breakpoint\nALTER TABLE `access_tokens` ADD `start` text;--> statement-breakpoint\nALTER TABLE `access_tokens` ADD `scopes` text DEFAULT 'admin' NOT NULL;--> statement-breakpoint\nALTER TABLE `access_tokens` ADD `last_used_at` integer;--> statement-breakpoint\nALTER TABLE `access_tokens` ADD `expires_at` integer;--> statement-breakpoint\nCREATE INDEX `access_tokens_of_user` ON `access_tokens` (`user_id`,`created_at`);--> statement-breakpoint\nALTER TABLE `api_keys` ADD `name` text DEFAULT 'default' NOT NULL;--> statement-breakpoint\nALTER TABLE `api_keys` ADD `start` text;--> statement-breakpoint\nALTER TABLE `api_keys` ADD `created_by` text;--> statement-breakpoint\nALTER TABLE `api_keys` ADD `last_used_at` integer;--> statement-breakpoint\nCREATE INDEX `api_keys_newest` ON `api_keys` (`environment_key`,`created_at`,`hash`);",
    "m0010": "ALTER TABLE `deployments` ADD `status` text DEFAULT 'DEPLOYED' NOT NULL;--> statement-breakpoint\nALTER TABLE `deployments` ADD `finished_at` integer;--> statement-breakpoint\nALTER TABLE `deployments` ADD `failure` text;--> statement-breakpoint\nALTER TABLE `deployments` ADD `has_image` integer DEFAULT false NOT NULL;--> statement-breakpoint\nALTER TABLE `deployments` ADD `image_repository` text;--> statement-breakpoint\nALTER TABLE `deployments` ADD `image_digest` text;",
    "m0011": "CREATE TABLE `error_counts` (\n\t`environment_key` text NOT NULL,\n\t`fingerprint` text NOT NULL,\n\t`hour` integer NOT NULL,\n\t`version` text NOT NULL,\n\t`count` integer NOT NULL,\n\tPRIMARY KEY(`environment_key`, `fingerprint`, `hour`, `version`)\n) WITHOUT ROWID;\n--> statement-breakpoint\nCREATE INDEX `error_counts_of_hour` ON `error_counts` (`environment_key`,`hour`);--> statement-breakpoint\nCREATE TABLE `error_groups` (\n\t`environment_key` text NOT NULL,\n\t`fingerprint` text NOT NULL,\n\t`task` text NOT NULL,\n\t`name` text NOT NULL,\n\t`message` text NOT NULL,\n\t`first_seen` integer NOT NULL,\n\t`last_seen` integer NOT NULL,\n\t`count` integer NOT NULL,\n\t`last_version` text NOT NULL,\n\t`status` text DEFAULT 'unresolved' NOT NULL,\n\t`resolved_at` integer,\n\t`resolved_in_version` text,\n\t`resolved_by` text,\n\t`ignored_at` integer,\n\t`ignored_until` integer,\n\t`ignored_until_count` integer,\n\t`ignored_until_rate` real,\n\t`ignored_reason` text,\n\t`ignored_by` text,\n\t`reopened_at` integer,\n\t`minute` integer NOT NULL,\n\t`minute_count` integer NOT NULL,\n\tPRIMARY KEY(`environment_key`, `fingerprint`)\n);\n--> statement-breakpoint\nCREATE INDEX `error_groups_last_seen` ON `error_groups` (`environment_key`,`last_seen`,`fingerprint`);--> statement-breakpoint\nCREATE TABLE `run_rollups` (\n\t`environment_key` text NOT NULL,\n\t`step` integer NOT NULL,\n\t`time` integer NOT NULL,\n\t`task` text NOT NULL,\n\t`queue` text NOT NULL,\n\t`machine` text NOT NULL,\n\t`usage_ms` real NOT NULL,\n\t`created` integer NOT NULL,\n\t`started` integer NOT NULL,\n\t`finished` integer NOT NULL,\n\t`completed` integer NOT NULL,\n\t`failed` integer NOT NULL,\n\t`crashed` integer NOT NULL,\n\t`system_failure` integer NOT NULL,\n\t`timed_out` integer NOT NULL,\n\t`canceled` integer NOT NULL,\n\t`expired` integer NOT NULL,\n\t`delay_00` integer NOT NULL,\n\t`delay_01` integer NOT NULL,\n\t`delay_02` integer NOT NULL,\n\t`delay_03` integer NOT NULL,\n\t`delay_04` integer NOT NULL,\n\t`delay_05` integer NOT NULL,\n\t`delay_06` integer NOT NULL,\n\t`delay_07` integer NOT NULL,\n\t`delay_08` integer NOT NULL,\n\t`delay_09` integer NOT NULL,\n\t`delay_10` integer NOT NULL,\n\t`delay_11` integer NOT NULL,\n\t`delay_12` integer NOT NULL,\n\t`delay_13` integer NOT NULL,\n\t`delay_14` integer NOT NULL,\n\t`delay_15` integer NOT NULL,\n\t`delay_16` integer NOT NULL,\n\t`delay_17` integer NOT NULL,\n\t`delay_18` integer NOT NULL,\n\t`delay_19` integer NOT NULL,\n\t`duration_00` integer NOT NULL,\n\t`duration_01` integer NOT NULL,\n\t`duration_02` integer NOT NULL,\n\t`duration_03` integer NOT NULL,\n\t`duration_04` integer NOT NULL,\n\t`duration_05` integer NOT NULL,\n\t`duration_06` integer NOT NULL,\n\t`duration_07` integer NOT NULL,\n\t`duration_08` integer NOT NULL,\n\t`duration_09` integer NOT NULL,\n\t`duration_10` integer NOT NULL,\n\t`duration_11` integer NOT NULL,\n\t`duration_12` integer NOT NULL,\n\t`duration_13` integer NOT NULL,\n\t`duration_14` integer NOT NULL,\n\t`duration_15` integer NOT NULL,\n\t`duration_16` integer NOT NULL,\n\t`duration_17` integer NOT NULL,\n\t`duration_18` integer NOT NULL,\n\t`duration_19` integer NOT NULL,\n\tPRIMARY KEY(`environment_key`, `step`, `time`, `task`, `queue`, `machine`)\n) WITHOUT ROWID;\n--> statement-breakpoint\nALTER TABLE `runs` ADD `error_name` text;--> statement-breakpoint\nALTER TABLE `runs` ADD `error_fingerprint` text;--> statement-breakpoint\nCREATE INDEX `runs_of_error` ON `runs` (`environment_key`,`error_fingerprint`,`created_at`,`id`) WHERE error_fingerprint IS NOT NULL;",
    "m0012": "ALTER TABLE `waitpoints` ADD `title` text;",
    "m0013": "CREATE TABLE `alert_channels` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`environment_key` text NOT NULL,\n\t`type` text NOT NULL,\n\t`name` text NOT NULL,\n\t`target` text NOT NULL,\n\t`sealed` text NOT NULL,\n\t`key_id` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\tFOREIGN KEY (`key_id`) REFERENCES `organization_keys`(`id`) ON UPDATE no action ON DELETE no action\n);\n--> statement-breakpoint\nCREATE INDEX `alert_channels_of_environment` ON `alert_channels` (`environment_key`,`created_at`);--> statement-breakpoint\nCREATE INDEX `alert_channels_of_key` ON `alert_channels` (`key_id`);--> statement-breakpoint\nCREATE TABLE `alert_rules` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`environment_key` text NOT NULL,\n\t`rule` text NOT NULL,\n\t`created_at` integer NOT NULL,\n\t`updated_at` integer NOT NULL\n);\n--> statement-breakpoint\nCREATE INDEX `alert_rules_of_environment` ON `alert_rules` (`environment_key`,`created_at`);",
    "m0014": "ALTER TABLE `deployments` ADD `collected_at` integer;"
  }
};
