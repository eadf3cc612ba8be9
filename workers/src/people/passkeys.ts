import { passkey } from "@better-auth/passkey";
import { APIError } from "better-auth/api";
import { count, eq } from "drizzle-orm";
import { z } from "zod";
import type { SqlConnection } from "../storage/sql-connection.ts";

/** The maximum number of passkeys of one person. */
const PASSKEYS = 20;

/** The stored part of the browser's responses. */
const Registered = z.object({
  id: z.string().max(1400),
  response: z.object({ transports: z.array(z.string().max(32)).max(8).optional() }),
});

/**
 * Configures better-auth's plugin for passkeys. A passkey alone is enough to sign in, so its device has to
 * verify its owner by fingerprint, face or PIN.
 */
export const passkeyPlugin = ({ db, tables: { passkeys } }: SqlConnection, origin: string) =>
  passkey({
    rpName: "Acme",
    rpID: new URL(origin).hostname,
    origin,
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    registration: {
      async afterVerification({ verification, clientData, user, ctx }) {
        const { name } = ctx.body as { name?: string };
        if ((name?.length ?? 0) > 100) throw refused("NAME_TOO_LONG", "A name has up to 100 characters.");
        if (!Registered.safeParse(clientData).success) {
          throw refused("PASSKEY_INVALID", "The passkey is not one that can be stored.");
        }
        if (!verification.registrationInfo?.userVerified) throw unverified();
        const [own] = await db.select({ count: count() }).from(passkeys).where(eq(passkeys.userId, user.id));
        if ((own?.count ?? 0) >= PASSKEYS) {
          throw refused(
            "TOO_MANY_PASSKEYS",
            `You have ${PASSKEYS} passkeys, which is the limit. Delete one.`,
          );
        }
      },
    },
    authentication: {
      async afterVerification({ verification, clientData }) {
        if (!verification.authenticationInfo.userVerified) throw unverified();
        await db
          .update(passkeys)
          .set({ lastUsedAt: new Date() })
          .where(eq(passkeys.credentialID, clientData.id));
      },
    },
  });

const refused = (code: string, message: string) =>
  new APIError("BAD_REQUEST", { code, message: `${message} Nothing was changed.` });

const unverified = () =>
  refused(
    "USER_NOT_VERIFIED",
    "The device did not verify its user. Set up a PIN, fingerprint or face on it, then try again.",
  );
