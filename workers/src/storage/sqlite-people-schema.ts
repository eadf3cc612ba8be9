import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { organizations } from "./sqlite-schema.ts";

/**
 * People and what they are members of, on SQLite. better-auth reads and writes `users`, `sessions`, `accounts`, `passkeys`
 * and `verifications` through Drizzle, by the names of their fields, and wants their times as dates; its own generator makes
 * no indexes. `postgres-people-schema.ts` has the same tables.
 */

const date = (name: string) => integer(name, { mode: "timestamp_ms" });

export const users = sqliteTable("users", {
  id: text().primaryKey(),
  name: text().notNull(),
  /** In lower case. */
  email: text().notNull().unique(),
  /** Whether the person has shown that the address is theirs, by following a link that was sent there. */
  emailVerified: integer("email_verified", { mode: "boolean" }).notNull(),
  image: text(),
  createdAt: date("created_at").notNull(),
  updatedAt: date("updated_at").notNull(),
});

export const sessions = sqliteTable(
  "sessions",
  {
    id: text().primaryKey(),
    token: text().notNull().unique(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    expiresAt: date("expires_at").notNull(),
    ipAddress: text("ip_address"),
    userAgent: text("user_agent"),
    createdAt: date("created_at").notNull(),
    updatedAt: date("updated_at").notNull(),
  },
  (table) => [index("sessions_of_user").on(table.userId, table.createdAt)],
);

/** Ways to sign in at another provider. */
export const accounts = sqliteTable(
  "accounts",
  {
    id: text().primaryKey(),
    accountId: text("account_id").notNull(),
    providerId: text("provider_id").notNull(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    accessToken: text("access_token"),
    refreshToken: text("refresh_token"),
    idToken: text("id_token"),
    accessTokenExpiresAt: date("access_token_expires_at"),
    refreshTokenExpiresAt: date("refresh_token_expires_at"),
    scope: text(),
    password: text(),
    createdAt: date("created_at").notNull(),
    updatedAt: date("updated_at").notNull(),
  },
  (table) => [
    uniqueIndex("accounts_of_provider").on(table.providerId, table.accountId),
    index("accounts_of_user").on(table.userId),
  ],
);

/** Keys of a person's devices, each of which signs them in. better-auth's plugin gives the fields their names. */
export const passkeys = sqliteTable(
  "passkeys",
  {
    id: text().primaryKey(),
    name: text(),
    publicKey: text("public_key").notNull(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    credentialID: text("credential_id").notNull().unique(),
    /** Counts the key's signatures, where its device counts. */
    counter: integer().notNull(),
    deviceType: text("device_type").notNull(),
    backedUp: integer("backed_up", { mode: "boolean" }).notNull(),
    transports: text(),
    createdAt: date("created_at"),
    /** The model of the authenticator. */
    aaguid: text(),
    lastUsedAt: date("last_used_at"),
  },
  (table) => [index("passkeys_of_user").on(table.userId, table.createdAt)],
);

/** One-time links, and states of sign-ins in progress. */
export const verifications = sqliteTable(
  "verifications",
  {
    id: text().primaryKey(),
    identifier: text().notNull(),
    value: text().notNull(),
    expiresAt: date("expires_at").notNull(),
    createdAt: date("created_at").notNull(),
    updatedAt: date("updated_at").notNull(),
  },
  (table) => [
    index("verifications_of_identifier").on(table.identifier),
    index("verifications_by_expiry").on(table.expiresAt),
  ],
);

export const members = sqliteTable(
  "members",
  {
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    role: text().$type<"owner" | "admin" | "developer" | "viewer">().notNull(),
    createdAt: integer("created_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.userId] }),
    index("members_of_user").on(table.userId),
  ],
);

/** Invitations by link, known by the SHA-256 of the link's token. */
export const invitations = sqliteTable(
  "invitations",
  {
    id: text().primaryKey(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    /** In lower case. Only this person can accept it. */
    email: text().notNull(),
    role: text().$type<"owner" | "admin" | "developer" | "viewer">().notNull(),
    tokenHash: text("token_hash").notNull().unique(),
    invitedBy: text("invited_by"),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
    acceptedAt: integer("accepted_at"),
    acceptedBy: text("accepted_by"),
    revokedAt: integer("revoked_at"),
  },
  (table) => [
    index("invitations_of_organization").on(table.organizationId, table.createdAt, table.id),
    index("invitations_of_email").on(table.email),
  ],
);

/** Logins of programs that wait for a person to allow them (RFC 8628), by the SHA-256 of the program's code. */
export const deviceLogins = sqliteTable(
  "device_logins",
  {
    hash: text().primaryKey(),
    /** What the person types, without its hyphen. */
    userCode: text("user_code").notNull().unique(),
    clientName: text("client_name").notNull(),
    /** Asked for, then granted; with spaces between them. */
    scopes: text().notNull(),
    address: text(),
    userAgent: text("user_agent"),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at").notNull(),
    decision: text().$type<"approved" | "denied">(),
    /** Who decided. */
    userId: text("user_id"),
    /** Which organization the token is for. */
    organizationId: text("organization_id"),
    /** When the token was handed out, which happens once. */
    usedAt: integer("used_at"),
  },
  (table) => [index("device_logins_by_expiry").on(table.expiresAt)],
);
