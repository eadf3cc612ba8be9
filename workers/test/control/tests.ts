/** Tests that run on each of the three databases: with the object's in project `worker`, and here with the others. */
export const CONTROL_PLANE = [
  "access-tokens.test.ts",
  "bootstrap.test.ts",
  "device-login.test.ts",
  "keys.test.ts",
  "linked-accounts.test.ts",
  "people.test.ts",
  "sessions.test.ts",
  "passkeys.test.ts",
  "providers.test.ts",
  "organizations.test.ts",
  "envvars.test.ts",
  "bulk-actions.test.ts",
  "operator.test.ts",
  "rebuild.test.ts",
  "errors.test.ts",
  "metrics.test.ts",
];
