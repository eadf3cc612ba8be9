import { z } from "zod";

/** Limits of what is stored for one person. */
export const PREFERENCE_LIMITS = {
  savedViews: 100,
  dismissedHints: 200,
  /** Payloads of one task in one environment, newest first. */
  payloadsPerTask: 10,
  /** Payloads of all tasks together. */
  payloads: 200,
  payloadBytes: 64 * 1024,
} as const;

const Id = z.string().min(1).max(64);

/** A list with its filters and columns, under a name. */
export const SavedView = z
  .object({
    id: Id,
    name: z.string().trim().min(1).max(100),
    /** The page that it belongs to: `runs`, `logs`, … */
    page: z.string().min(1).max(64),
    /** The page's query, without `?`. */
    query: z.string().max(4_096),
  })
  .strict();
export type SavedView = z.infer<typeof SavedView>;

const fields = {
  theme: z.enum(["system", "light", "dark"]),
  /** Whether times are shown in the browser's time zone or in UTC. */
  timeZone: z.enum(["local", "utc"]),
  density: z.enum(["comfortable", "compact"]),
  /** Whether single-letter shortcuts are on. */
  singleKeys: z.boolean(),
  savedViews: z.array(SavedView).max(PREFERENCE_LIMITS.savedViews),
  /** Hints that the person has dismissed. */
  dismissedHints: z.array(Id).max(PREFERENCE_LIMITS.dismissedHints),
};

export const Preferences = z.object(fields).strict();
export type Preferences = z.infer<typeof Preferences>;

/** Absent fields are not changed. */
export const UpdatePreferencesBody = z.object(fields).partial().strict();

export const DEFAULT_PREFERENCES: Preferences = {
  theme: "system",
  timeZone: "local",
  density: "comfortable",
  singleKeys: true,
  savedViews: [],
  dismissedHints: [],
};

/** The task whose payloads are kept. */
export const RecentPayloadsQuery = z.object({ environment: Id, task: z.string().min(1).max(256) });

export const RecentPayload = z.object({
  /** The payload as it was typed. */
  payload: z.string(),
  usedAt: z.iso.datetime(),
});
export type RecentPayload = z.infer<typeof RecentPayload>;

export const AddRecentPayloadBody = z
  .object({
    environment: Id,
    task: z.string().min(1).max(256),
    payload: z.string().max(PREFERENCE_LIMITS.payloadBytes),
  })
  .strict();

export const RecentPayloadsResponse = z.object({ data: z.array(RecentPayload) });

/** A session as its person sees it: never with its token. */
export const SessionObject = z.object({
  id: z.string(),
  /** True for the session that makes the request. */
  current: z.boolean(),
  createdAt: z.iso.datetime(),
  /** When the session was last extended. */
  updatedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  address: z.string().nullable(),
  userAgent: z.string().nullable(),
});
export type SessionObject = z.infer<typeof SessionObject>;

export const ListSessionsResponse = z.object({ data: z.array(SessionObject) });
export const RevokedSessions = z.object({ revoked: z.number() });
