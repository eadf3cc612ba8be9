import type { CreateAlertChannelBody } from "@acme/sdk/contract/api";
import { and, asc, eq } from "drizzle-orm";
import { z } from "zod";
import type { Bindings } from "../bindings.ts";
import { currentKey, keysOf, type SealingKey, seal, unseal } from "../control/sealing.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { newWebhookSecret } from "./sign.ts";

export type ChannelRow = SqlConnection["tables"]["alertChannels"]["$inferSelect"];

/** The encrypted part of a channel. */
const Destination = z.discriminatedUnion("type", [
  z.object({ type: z.literal("webhook"), url: z.string(), secret: z.string() }),
  z.object({ type: z.literal("slack"), url: z.string() }),
  z.object({ type: z.literal("email"), addresses: z.array(z.string()) }),
]);
export type Destination = z.infer<typeof Destination>;

/** Binds an encrypted destination to its channel: copied elsewhere, it can't be decrypted. */
const placeOf = ({ environmentKey, id }: Pick<ChannelRow, "environmentKey" | "id">): string =>
  `${environmentKey}/alert/${id}`;

export function destinationOf(body: CreateAlertChannelBody): Destination {
  switch (body.type) {
    case "webhook":
      return { type: "webhook", url: body.url, secret: body.secret ?? newWebhookSecret() };
    case "slack":
      return { type: "slack", url: body.url };
    case "email":
      return { type: "email", addresses: [...new Set(body.addresses)] };
  }
}

/** Returns the part that may be shown: paths and query strings of URLs are often secret. */
export const shownTarget = (destination: Destination): string =>
  destination.type === "email" ? destination.addresses.join(", ") : new URL(destination.url).host;

export async function sealChannel(
  env: Bindings,
  connection: SqlConnection,
  organizationId: string,
  place: { environmentKey: string; id: string },
  destination: Destination,
): Promise<{ sealed: string; keyId: string }> {
  const key = await currentKey(env, connection, organizationId);
  return { sealed: await seal(key, JSON.stringify(destination), placeOf(place)), keyId: key.id };
}

export async function openChannel(
  env: Bindings,
  connection: SqlConnection,
  channel: ChannelRow,
): Promise<Destination> {
  const key = (await keysOf(env, connection, [channel.keyId])).get(channel.keyId);
  if (!key) throw new Error(`The key ${channel.keyId} does not exist`);
  return Destination.parse(JSON.parse(await unseal(key, channel.sealed, placeOf(channel))));
}

/** Encrypts an organization's channels with a new key, as `rotateEncryption` does with its variables. */
export async function resealChannels(
  env: Bindings,
  connection: SqlConnection,
  organizationId: string,
  key: SealingKey,
): Promise<void> {
  const { db, tables } = connection;
  const { alertChannels, environments, projects } = tables;
  const rows = await db
    .select({ row: alertChannels })
    .from(alertChannels)
    .innerJoin(environments, eq(environments.key, alertChannels.environmentKey))
    .innerJoin(projects, eq(projects.id, environments.projectId))
    .where(eq(projects.organizationId, organizationId));
  for (const { row } of rows) {
    if (row.keyId === key.id) continue;
    const destination = await openChannel(env, connection, row);
    const sealed = await seal(key, JSON.stringify(destination), placeOf(row));
    await db
      .update(alertChannels)
      .set({ sealed, keyId: key.id })
      .where(and(eq(alertChannels.id, row.id), eq(alertChannels.sealed, row.sealed)));
  }
}

export const selectChannels = (
  { db, tables: { alertChannels } }: SqlConnection,
  environmentKey: string,
): PromiseLike<ChannelRow[]> | ChannelRow[] =>
  db
    .select()
    .from(alertChannels)
    .where(eq(alertChannels.environmentKey, environmentKey))
    .orderBy(asc(alertChannels.createdAt), asc(alertChannels.id));

export type RuleRow = SqlConnection["tables"]["alertRules"]["$inferSelect"];

export const selectRules = (
  { db, tables: { alertRules } }: SqlConnection,
  environmentKey: string,
): PromiseLike<RuleRow[]> | RuleRow[] =>
  db
    .select()
    .from(alertRules)
    .where(eq(alertRules.environmentKey, environmentKey))
    .orderBy(asc(alertRules.createdAt), asc(alertRules.id));
