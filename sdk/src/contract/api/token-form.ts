import { z } from "zod";

export const TOKEN_FORM_LIMITS = {
  title: 256,
  description: 4_096,
  schemaBytes: 16 * 1024,
  name: 100,
} as const;

/** The question for the person who completes a token. */
export const TokenForm = z.object({
  title: z.string().trim().min(1).max(TOKEN_FORM_LIMITS.title).optional(),
  description: z.string().max(TOKEN_FORM_LIMITS.description).optional(),
  /** The JSON schema of the answer. An answer that does not match it is refused. */
  schema: z
    .record(z.string(), z.unknown())
    .refine((schema) => JSON.stringify(schema).length <= TOKEN_FORM_LIMITS.schemaBytes, {
      message: `The schema of a token has at most ${TOKEN_FORM_LIMITS.schemaBytes} bytes`,
    })
    .optional(),
});
export type TokenForm = z.infer<typeof TokenForm>;
