import { z } from "zod";
import { utf8Bytes } from "../text.ts";

/** Limits of environment variables. */
export const VARIABLE_LIMITS = {
  nameLength: 256,
  valueBytes: 32 * 1024,
  /**
   * The maximum number of variables of one environment. A branch may have as many in addition to those of its
   * environment.
   */
  perEnvironment: 1_000,
  /** Total bytes of all names and values of one environment. */
  totalBytes: 512 * 1024,
} as const;

/** Prefixes that are reserved for the platform's own variables. */
const RESERVED = /^(?:ACME_|TRIGGER_|OTEL_EXPORTER_OTLP_)/;

export const VariableName = z
  .string()
  .max(VARIABLE_LIMITS.nameLength)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "A name has letters, digits and _, and begins with no digit")
  .refine(
    (name) => !RESERVED.test(name),
    "Names that begin with ACME_, TRIGGER_ or OTEL_EXPORTER_OTLP_ are the platform's own",
  );

export const VariableValue = z
  .string()
  .refine(
    (value) => utf8Bytes(value) <= VARIABLE_LIMITS.valueBytes,
    `A value has at most ${VARIABLE_LIMITS.valueBytes} bytes`,
  )
  .refine((value) => !value.includes("\0"), "A value has no NUL characters");

export const CreateVariableBody = z.object({
  name: VariableName,
  value: VariableValue,
  /** True: the value is never shown again, and is redacted from logs and errors. Default false. */
  isSecret: z.boolean().optional(),
});

/** Absent fields are not changed. */
export const UpdateVariableBody = z.object({ value: VariableValue, isSecret: z.boolean().optional() });

const Variables = z
  .record(VariableName, VariableValue)
  .refine(
    (variables) => Object.keys(variables).length <= VARIABLE_LIMITS.perEnvironment,
    `At most ${VARIABLE_LIMITS.perEnvironment} variables`,
  );

export const ImportVariablesBody = z.object({
  variables: Variables,
  /** Variables that this branch overrides in its parent environment. */
  parentVariables: Variables.optional(),
  /** True: existing variables are replaced. Default false: they are not changed. */
  override: z.boolean().optional(),
  isSecret: z.boolean().optional(),
});

/** The `value` of a secret variable is `<redacted>`. */
export const VariableObject = z.object({
  name: z.string(),
  value: z.string(),
  isSecret: z.boolean(),
  /** True: the branch inherits the variable from its parent environment. */
  inherited: z.boolean(),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
});
export type VariableObject = z.infer<typeof VariableObject>;

export const ListVariablesResponse = z.array(VariableObject);
export const VariablesChanged = z.object({
  success: z.literal(true),
  /** Names that were set or deleted. */
  changed: z.array(z.string()),
});

/** Encrypts all variables of an organization with a new key. All of them stay readable meanwhile. */
export const RotatedEncryption = z.object({
  /** Number of the organization's key, from 1. */
  number: z.number(),
  /** The number of variables that were encrypted again. */
  variables: z.number(),
});

export const RewrappedEncryption = z.object({
  /** The number of organizations' keys that were wrapped again with the first of `ENCRYPTION_KEYS`. */
  keys: z.number(),
});
