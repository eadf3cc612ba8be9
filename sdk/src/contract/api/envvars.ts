import { z } from "zod";
import { utf8Bytes } from "../text.ts";

/** Limits of environment variables. */
export const VARIABLE_LIMITS = {
  nameLength: 256,
  valueBytes: 32 * 1024,
  /** Most variables of one environment; a branch may have as many besides those of its environment. */
  perEnvironment: 1_000,
  /** All names and values of one environment. */
  totalBytes: 512 * 1024,
} as const;

/** The platform's own names begin with these. */
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
  /** True: the value is never shown again, and taken out of logs and errors. Default false. */
  isSecret: z.boolean().optional(),
});

/** What is absent stays. */
export const UpdateVariableBody = z.object({ value: VariableValue, isSecret: z.boolean().optional() });

const Variables = z
  .record(VariableName, VariableValue)
  .refine(
    (variables) => Object.keys(variables).length <= VARIABLE_LIMITS.perEnvironment,
    `At most ${VARIABLE_LIMITS.perEnvironment} variables`,
  );

export const ImportVariablesBody = z.object({
  variables: Variables,
  /** Variables of the environment that this one is a branch of. */
  parentVariables: Variables.optional(),
  /** True: replaces variables that are there. Default false: they stay as they are. */
  override: z.boolean().optional(),
  isSecret: z.boolean().optional(),
});

/** `value` of a secret one is `<redacted>`. */
export const VariableObject = z.object({
  name: z.string(),
  value: z.string(),
  isSecret: z.boolean(),
  /** True: the branch has it from the environment that it is a branch of. */
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

/** A new key seals all variables of an organization; none is out of reach meanwhile. */
export const RotatedEncryption = z.object({
  /** Number of the organization's key, from 1. */
  number: z.number(),
  /** Variables that were sealed again. */
  variables: z.number(),
});

export const RewrappedEncryption = z.object({
  /** Keys of organizations that were wrapped again with the first of `ENCRYPTION_KEYS`. */
  keys: z.number(),
});
